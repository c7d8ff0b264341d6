"""“Put it in my PACS”: what a capability opens, to whom, and until when."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import NotAllowed
from accounts.models import AuditEvent
from portal.policies import DICOMWEB
from sharing import capabilities, disclosures, grants, releases
from sharing.models import Capability, ShareSession
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.portal.published import Published, publish_for
from tests.reading import words_of
from tests.sharing.links_made import Given, give


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


def lent(cast: Cast, published: Published, **changes: Any) -> Given:
    asked = {"studies": [published.study.pk], "rights": ["view", "download"], "passcode": False, **changes}
    return give(cast.maria, **asked)


def path_of(made: capabilities.Made) -> str:
    return made.base.partition("://")[2].partition("/")[2].join("//")[:-1]


def a_base(made: Given) -> str:
    """The path of a base that a machine was given."""
    return path_of(capabilities.make(made.grant, actor=Actor.guest(made.grant.pk, "Dr Kim")))


def study_in(base: str, published: Published) -> str:
    return f"{base}/studies/{published.study.study_uid}"


def test_a_guest_makes_an_address_and_a_machine_fetches_by_it(client: Client, cast: Cast, published: Published) -> None:
    made = lent(cast, published)
    made.post(client)
    pull = reverse("pull", args=[published.study.pk])
    assert "Make the address" in words_of(client.get(pull))
    assert not Capability.objects.exists()
    page = client.post(pull).content.decode()
    (base,) = re.findall(r"data-base>([^<]+)<", page)
    machine = Client()
    answer = machine.get(study_in("/" + base.split("/", 3)[3], published))
    assert answer.status_code == 200
    assert answer.getvalue().count(b"DICM") == 3
    assert base.rpartition("/c/")[2].partition("/")[0] not in repr(list(Capability.objects.values()))


def test_what_a_machine_fetches_is_told_to_the_patient(cast: Cast, published: Published) -> None:
    base = a_base(lent(cast, published, whom="Dr Lee"))
    list(Client().get(study_in(base, published)))
    (look,) = AuditEvent.objects.filter(action="downloaded")
    assert (look.actor_kind, look.way) == ("machine", "dicomweb")
    (told,) = [
        one for one in disclosures.tell(disclosures.activity(cast.maria), cast.maria) if "download" in str(one.what)
    ]
    assert str(told.who) == "Dr Kim, as they call themselves, with the link for Dr Lee"


def test_it_says_its_own_address_wherever_things_are_found_again(cast: Cast, published: Published) -> None:
    base = a_base(lent(cast, published))
    (row,) = Client().get(f"{base}/studies").json()
    assert f"{base}/studies/{published.study.study_uid}" in row["00081190"]["Value"][0]
    assert base in Client().get(f"{base}/").content.decode()


def test_it_opens_what_its_grant_lends_and_nothing_else(cast: Cast, published: Published) -> None:
    base = a_base(lent(cast, published))
    assert len(Client().get(f"{base}/studies").json()) == 1
    assert Client().get(f"{base}/studies/{cast.study.study_uid}/metadata").status_code == 404
    assert Client().get(f"{base}/studies", {"PatientID": cast.patient.patient_id}).json() == []


def test_the_cookies_that_come_along_open_nothing_more(cast: Cast, published: Published) -> None:
    base = a_base(lent(cast, published))
    maria = Client()
    maria.force_login(cast.maria)
    assert len(maria.get("/dicom-web/studies").json()) == 2
    assert len(maria.get(f"{base}/studies").json()) == 1


def test_a_machine_does_nothing_but_read(cast: Cast, published: Published) -> None:
    base = a_base(lent(cast, published))
    assert Client().post(f"{base}/studies").status_code == 405
    assert Client().get(f"{base}/elsewhere").status_code == 401  # like any address that is none


@pytest.mark.parametrize("changes", [{"rights": ["view"]}, {"rights": ["view", "report"]}])
def test_without_leave_to_download_there_is_no_address(
    client: Client, cast: Cast, published: Published, changes: dict[str, Any]
) -> None:
    made = lent(cast, published, **changes)
    made.post(client)
    assert client.post(reverse("pull", args=[published.study.pk])).status_code == 403
    assert "Put it in my PACS" not in client.get(reverse("study", args=[published.study.pk])).content.decode()
    with pytest.raises(NotAllowed):
        capabilities.make(made.grant, actor=Actor.nobody())


def test_its_own_patient_takes_it_home_instead(client: Client, cast: Cast, published: Published) -> None:
    client.force_login(cast.maria)
    assert client.post(reverse("pull", args=[published.study.pk])).status_code == 403


@pytest.mark.parametrize(("end", "status"), [("revoke", 404), ("withdraw", 410), ("expire", 404), ("end", 404)])
def test_it_is_dead_with_its_grant_or_sooner(
    cast: Cast, published: Published, clock: Clock, end: str, status: int
) -> None:
    made = lent(cast, published)
    base = a_base(made)
    assert Client().get(f"{study_in(base, published)}/metadata").status_code == 200
    if end == "revoke":
        grants.revoke(cast.maria, made.grant.pk)
    elif end == "withdraw":
        releases.withdraw(published.study, "wrong patient", actor=Actor.system())
    elif end == "expire":
        clock.move(days=8)
    else:
        Capability.objects.update(ended_at=timezone.now())
    paths = [study_in(base, published), f"{study_in(base, published)}/metadata"]
    assert [Client().get(path).status_code for path in paths] == [status, status]


def test_whoever_made_an_address_ends_it_and_nobody_elses(client: Client, cast: Cast, published: Published) -> None:
    made = lent(cast, published)
    made.post(client)
    page, another = reverse("pull", args=[published.study.pk]), a_base(made)
    assert "End what I made" not in words_of(client.get(page))
    (base,) = re.findall(r"data-base>([^<]+)<", client.post(page).content.decode())
    assert "1 address that you made is open." in words_of(client.get(page))
    assert "1 address has ended" in words_of(client.post(page, {"end": "yes"}))
    bases = ["/" + base.split("/", 3)[3], another]
    assert [Client().get(f"{study_in(one, published)}/metadata").status_code for one in bases] == [404, 200]
    assert client.get(reverse("study", args=[published.study.pk])).status_code == 200
    assert AuditEvent.objects.filter(action="capability_ended").count() == 1
    client.post(page, {"end": "yes"})
    assert AuditEvent.objects.filter(action="capability_ended").count() == 1


def test_whoever_has_a_long_name_has_an_address_too(cast: Cast, published: Published) -> None:
    actor = Actor.guest(cast.study.pk, "K" * 500)
    made = capabilities.make(lent(cast, published).grant, actor=actor)
    made.capability.full_clean()
    assert capabilities.running(made.capability.grant, actor=actor).count() == 1


def test_it_lasts_a_week_at_most_and_never_longer_than_its_grant(cast: Cast, published: Published) -> None:
    now = timezone.now()
    long = capabilities.make(lent(cast, published).grant, actor=Actor.nobody())
    short = capabilities.make(lent(cast, published, expires_at=now + timedelta(days=1)).grant, actor=Actor.nobody())
    assert now + timedelta(days=7) <= long.capability.expires_at < now + timedelta(days=7, minutes=1)
    assert short.capability.expires_at == short.capability.grant.expires_at


# --- A link for one study is none for another


@pytest.mark.parametrize("kind", ["guest", "machine"])
def test_a_link_for_one_study_finds_nothing_of_another(cast: Cast, published: Published, kind: str) -> None:
    """Study, series, instance, frame, rendered, thumbnail, report, ZIP and searches: as if it were not there."""
    other = a_study(cast.patient)
    releases.release(other, actor=Actor.system())
    made = give(cast.maria, studies=[other.pk], rights=["view", "report", "download"], passcode=False)
    client, base = Client(), "/dicom-web"
    if kind == "guest":
        made.post(client)
    else:
        base = a_base(made)
    study, series, sop = published.study, published.first.series.series_uid, published.first.sop_uid
    of_study = f"{base}/studies/{study.study_uid}"
    of_series, of_instance = f"{of_study}/series/{series}", f"{of_study}/series/{series}/instances/{sop}"
    paths = [of_study, of_series, of_instance, f"{of_instance}/frames/1", f"{of_instance}/bulkdata/7FE00010"]
    for place in (of_study, of_series, of_instance, f"{of_instance}/frames/1"):
        paths += [f"{place}/rendered", f"{place}/thumbnail"]
    paths += [f"{place}/metadata" for place in (of_study, of_series, of_instance)]
    paths += [f"{of_study}/series", f"{of_study}/instances", f"{of_series}/instances"]
    if kind == "guest":
        one = [study.pk, published.series_id]
        paths += [
            reverse(name, args=[study.pk]) for name in ("study", "viewer", "report", "download", "take_home", "pull")
        ]
        paths += [reverse(name, args=[study.pk]) for name in ("manifest", "thumbnail", "lend")]
        paths += [reverse("picture", args=[*one, "preview", 1]), reverse("pixels", args=[*one, 1])]
        paths += [reverse("report_file", args=[study.pk, published.report.pk])]
        paths += [f"/studies/{study.pk}{of_study}", f"/viewer/of/{study.pk}/dicom-web/studies/{study.study_uid}"]
    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)
    patient_id = study.patient.patient_id
    for search in (f"{base}/studies?PatientID={patient_id}", f"{base}/studies?StudyInstanceUID={study.study_uid}"):
        assert client.get(search).json() == []
    assert len(paths) > len(DICOMWEB) - 5


# --- An archive by itself: the code of a sheet for an address, and a receipt


def asks(made: Given, **changes: str) -> Any:
    said = {"code": made.code, "passcode": made.passcode, "practice": "Elm Practice", "name": "Dr Kim", **changes}
    return Client().post("/api/v1/pulls/", said, content_type="application/json")


def test_a_code_gets_an_archive_its_address_and_the_patient_a_receipt(cast: Cast, published: Published) -> None:
    made = give(cast.maria, studies=[published.study.pk], rights=["view", "download"], whom="Dr Lee")
    answer = asks(made)
    assert answer.status_code == 201
    assert set(answer.json()) == {"base", "expires_at"}
    base = "/" + answer.json()["base"].split("/", 3)[3]
    assert len(Client().get(f"{base}/studies").json()) == 1
    receipt = base.removesuffix("dicom-web") + "receipt/"
    told = {"study_uid": published.study.study_uid, "stored": 3, "failed": 0}
    assert Client().post(receipt, told, content_type="application/json").status_code == 204
    (event,) = AuditEvent.objects.filter(action="stored_elsewhere")
    assert (event.detail["stored"], event.detail["failed"]) == (3, 0)
    said = [f"{one.who} {one.what}" for one in disclosures.tell(disclosures.activity(cast.maria), cast.maria)]
    who = "Dr Kim, Elm Practice, as they call themselves, with the link for Dr Lee"
    assert said[:3] == [f"{who} {what}" for what in RECEIVED]


RECEIVED = [
    "stored the exam in their own archive",
    "made an address for their archive to fetch the exam",
    "said who they are",
]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"passcode": ""}, 422, "passcode_needed"),
        ({"passcode": "12"}, 422, "passcode_wrong"),
        ({"code": "0000-0000-0000-0"}, 404, "link_unknown"),
        ({"code": "K7QM"}, 404, "link_unknown"),
        ({"npi": "1234567890"}, 400, "bad_request"),
        ({"practice": ""}, 400, "invalid"),
    ],
)
def test_an_archive_that_asks_wrongly_is_told_what_to_do(
    cast: Cast, published: Published, changes: dict[str, str], status: int, code: str
) -> None:
    made = give(cast.maria, studies=[published.study.pk], rights=["view", "download"])
    answer = asks(made, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["hint"]
    assert not Capability.objects.exists()


def test_an_archive_gets_no_address_without_leave_to_download(cast: Cast, published: Published) -> None:
    made = give(cast.maria, studies=[published.study.pk], most_openings=1)
    answer = asks(made)
    assert (answer.status_code, answer.json()["message"]) == (403, "This link is for looking only.")
    assert not Capability.objects.exists()
    assert made.open().session, "and whoever wants to look still can"


def test_a_machine_that_got_no_address_leaves_no_session(
    cast: Cast, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "PER_HOUR", 0)
    assert asks(give(cast.maria, studies=[published.study.pk], rights=["view", "download"])).status_code == 429
    assert not ShareSession.objects.filter(ended_at=None).exists()


def test_the_same_receipt_again_is_one_line_for_the_patient(
    cast: Cast, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = a_base(lent(cast, published))
    told = {"study_uid": published.study.study_uid, "stored": 2, "failed": 1}

    def tells(**changes: int) -> int:
        place = base.removesuffix("dicom-web") + "receipt/"
        return Client().post(place, {**told, **changes}, content_type="application/json").status_code

    assert [tells(), tells(), tells(stored=3, failed=0)] == [204, 204, 204]
    assert AuditEvent.objects.filter(action="stored_elsewhere").count() == 2
    monkeypatch.setattr(capabilities, "RECEIPTS_PER_DAY", 3)
    assert tells(stored=1) == 429


@pytest.mark.parametrize("change", [{"study_uid": "1.2.3"}, {"stored": -1}, {"failed": "many"}])
def test_a_receipt_for_what_was_not_lent_is_none(cast: Cast, published: Published, change: dict[str, Any]) -> None:
    base = a_base(lent(cast, published))
    told = {"study_uid": published.study.study_uid, "stored": 3, "failed": 0, **change}
    answer = Client().post(base.removesuffix("dicom-web") + "receipt/", told, content_type="application/json")
    assert answer.status_code in (400, 404)
    assert not AuditEvent.objects.filter(action="stored_elsewhere").exists()
