"""A study lent in parts: the chosen series are all of it that whoever borrows finds, by whatever way."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import BadRequest, NotFound
from accounts.models import User
from portal import delivery
from portal.delivery import LookEnded
from sharing import access, capabilities, given, grants, releases
from sharing.access import Right
from sharing.models import Grant, GrantItem, Link
from studies import intake, pipeline
from studies.models import FacilityPatient, Series, Study
from tests import factories
from tests.cast import Cast
from tests.reading import words_of
from tests.sharing.links_made import Given, give


@dataclass
class Two:
    """Maria's study of two series: what is lent of it, and what is not."""

    study: Study
    shown: Series
    hidden: Series


@pytest.fixture
def two(cast: Cast, tmp_path: Path, settings: Settings) -> Two:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    named = {"PatientID": "TWO-1"}
    files = factories.ct_series(3, study=7, **named)
    files += [
        factories.ct_file(10 + number, study=7, series=2, SeriesDescription="Scout secret", SeriesNumber=2, **named)
        for number in range(2)
    ]
    assert len(intake.publish(cast.lakeside, [[file] for file in files]).stored) == 5
    study = Study.objects.get(study_uid=factories.uid(7))
    pipeline.advance(study.pk, at_once=True)
    patient = FacilityPatient.objects.get(patient_id="TWO-1")
    Link.objects.create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    study.refresh_from_db()
    if not hasattr(study, "release"):
        releases.release(study, actor=Actor.system())
    hidden = study.series.get(description="Scout secret")
    return Two(study, study.series.exclude(pk=hidden.pk).get(), hidden)


def in_parts(cast: Cast, two: Two, **changes: Any) -> Given:
    asked = {"studies": [two.study.pk], "series": [two.shown.pk], "rights": ["view", "report", "download"], **changes}
    return give(cast.maria, passcode=False, **asked)


def opened(made: Given) -> Client:
    client = Client()
    assert made.post(client).status_code == 303
    return client


def test_pages_show_the_chosen_series_alone(cast: Cast, two: Two) -> None:
    client = opened(in_parts(cast, two))
    for name in ("study", "viewer", "take_home", "pull"):
        page = client.get(reverse(name, args=[two.study.pk]))
        assert page.status_code == 200
        assert "Scout secret" not in page.content.decode()
        assert str(two.hidden.pk) not in page.content.decode()
    assert "3 pictures" in words_of(client.get(reverse("study", args=[two.study.pk])))
    manifest = client.get(reverse("manifest", args=[two.study.pk])).json()
    assert [one["count"] for one in manifest["series"]] == [3]


def test_pictures_of_the_other_series_are_not_there(cast: Cast, two: Two) -> None:
    client, places = opened(in_parts(cast, two)), {}
    for one in (two.shown, two.hidden):
        ids = [two.study.pk, one.pk]
        addresses = [reverse("picture", args=[*ids, size, 1]) for size in ("preview", "thumbnail")]
        addresses += [reverse("pixels", args=[*ids, 1]), reverse("full", args=[*ids, 1]), reverse("details", args=ids)]
        places[one.pk] = [client.get(address).status_code for address in addresses]
    assert set(places[two.shown.pk]) == {200}
    assert set(places[two.hidden.pk]) == {404}


def test_the_small_picture_is_of_what_is_lent(cast: Cast, two: Two) -> None:
    whole, part = give(cast.maria, passcode=False), in_parts(cast, two, series=[two.hidden.pk])
    pictures = [opened(one).get(reverse("thumbnail", args=[two.study.pk])).getvalue() for one in (whole, part)]
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize("kind", ["guest", "machine", "provider"])
def test_programs_find_the_chosen_series_alone(cast: Cast, two: Two, kind: str) -> None:
    client, base = borrower(cast, two, kind)
    of_study = f"{base}/studies/{two.study.study_uid}"
    (row,) = client.get(f"{base}/studies?PatientID=TWO-1").json()
    assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([1], [3])
    for place in ("series", f"studies/{two.study.study_uid}/series"):
        assert [one["0020000E"]["Value"][0] for one in client.get(f"{base}/{place}").json()] == [two.shown.series_uid]
    for place in ("instances", f"studies/{two.study.study_uid}/instances"):
        assert len(client.get(f"{base}/{place}").json()) == 3
    assert client.get(f"{of_study}/series/{two.hidden.series_uid}/instances").json() == []
    assert len(json.loads(client.get(f"{of_study}/metadata").getvalue())) == 3
    assert client.get(of_study).getvalue().count(b"DICM") == 3
    assert (
        client.get(f"{of_study}/rendered", headers={"Accept": "multipart/related; type=image/jpeg"}).status_code == 200
    )
    sop = two.study.instances.filter(series=two.hidden).earliest("pk").sop_uid
    of_series = f"{of_study}/series/{two.hidden.series_uid}"
    of_instance = f"{of_series}/instances/{sop}"
    places = [of_series, of_instance, f"{of_instance}/frames/1", f"{of_instance}/bulkdata/7FE00010"]
    places += [
        f"{place}/{what}" for place in (of_series, of_instance) for what in ("rendered", "thumbnail", "metadata")
    ]
    places += [f"{of_instance}/frames/1/rendered", f"{of_instance}/frames/1/thumbnail"]
    for headers in ({}, {"Accept-Encoding": "gzip"}):  # what is packed already goes another way
        assert client.get(f"{of_study}/series/{two.shown.series_uid}/metadata", headers=headers).status_code == 200
        got = {place: client.get(place, headers=headers).status_code for place in places}
        assert got == dict.fromkeys(places, 404)


def borrower(cast: Cast, two: Two, kind: str) -> tuple[Client, str]:
    """Somebody or something that was lent a part, and where she asks."""
    if kind == "provider":
        asked: dict[str, Any] = {"studies": [two.study.pk], "series": [two.shown.pk], "email": "lee@example.org"}
        end = timezone.now() + timedelta(days=1)
        grants.grant(cast.maria, rights=["view", "download"], expires_at=end, way="page", **asked)
        lee = Client()
        lee.force_login(cast.lee)
        return lee, "/dicom-web"
    made = in_parts(cast, two)
    if kind == "guest":
        return opened(made), "/dicom-web"
    return Client(), "/" + capabilities.make(made.grant, actor=Actor.nobody()).base.split("/", 3)[3]


def test_the_archive_to_take_home_holds_the_chosen_series_alone(cast: Cast, two: Two) -> None:
    client = opened(in_parts(cast, two))
    archive = zipfile.ZipFile(io.BytesIO(client.get(reverse("download", args=[two.study.pk])).getvalue()))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Scout secret" not in everything
    assert len([name for name in archive.namelist() if archive.read(name)[128:132] == b"DICM"]) == 4  # and the DICOMDIR


def test_each_right_has_its_own_parts(cast: Cast, two: Two) -> None:
    seen = in_parts(cast, two, rights=["view"])
    guest = seen.guest()
    in_parts(cast, two, series=[two.hidden.pk], rights=["view", "download"]).open(within=guest)
    assert access.only_series(guest, two.study.pk) == frozenset({two.shown.pk, two.hidden.pk})
    assert access.only_series(guest, two.study.pk, Right.DOWNLOAD) == frozenset({two.hidden.pk})


@pytest.mark.parametrize("other", ["whole", "all_and_later"])
def test_whoever_gets_all_of_it_too_sees_all_of_it(cast: Cast, two: Two, other: str) -> None:
    guest = in_parts(cast, two).guest()
    more = give(cast.maria, studies="all_and_later" if other == "all_and_later" else [two.study.pk])
    more.open(within=guest)
    assert access.only_series(guest, two.study.pk) is None
    grants.revoke(cast.maria, more.grant.pk)
    assert access.only_series(guest, two.study.pk) == frozenset({two.shown.pk})


def test_those_who_have_it_anyway_see_all_of_it(cast: Cast, two: Two) -> None:
    session = in_parts(cast, two).guest().session
    for user in (cast.maria, cast.tom):
        for viewer in (access.viewer_for(user), access.viewer_for(user, session)):
            assert access.only_series(viewer, two.study.pk) is None
            assert access.parts_of(viewer) == {}
    assert access.parts_of(access.viewer_for(cast.eve, session)) == {two.study.pk: {two.shown.pk}}


def test_a_right_that_ends_meanwhile_leaves_nothing_and_not_all(
    cast: Cast, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = in_parts(cast, two)
    guest = made.guest()
    grants.revoke(cast.maria, made.grant.pk)
    monkeypatch.setattr(access, "has", lambda *_args: True)  # as it was a moment before
    with pytest.raises(NotFound):
        access.study_for(guest, two.study.pk)
    assert access.parts_of(guest) == {two.study.pk: frozenset()}


def test_a_download_that_runs_is_cut_when_its_part_ends(cast: Cast, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "ASK_AGAIN_BYTES", 1)
    first = in_parts(cast, two, series=[two.hidden.pk])
    guest = first.guest()
    in_parts(cast, two).open(within=guest)
    leave = delivery.admit(guest, two.study.pk, Right.DOWNLOAD)
    running = delivery.stream(leave, [b"1", b"2", b"3"])
    assert next(running) == b"1"
    grants.revoke(cast.maria, first.grant.pk)
    with pytest.raises(LookEnded):
        list(running)


# --- How it is asked for


def maria(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.maria)
    return client


def test_the_page_of_one_exam_offers_its_series(cast: Cast, two: Two) -> None:
    client, page = maria(cast), reverse("lend", args=[two.study.pk])
    assert "Scout secret" in words_of(client.get(page))
    form = {
        "by": "link",
        "scope": "chosen",
        "studies": [str(two.study.pk)],
        "series": [str(two.shown.pk)],
        "period": "30",
    }
    assert "Of it only:" in words_of(client.post(page, form))
    assert client.post(page, {**form, "share": "yes"}).status_code == 200
    assert list(GrantItem.objects.values_list("series", flat=True)) == [two.shown.pk]
    assert "Of it only:" in words_of(client.get(reverse("sharing")))


def refused_elsewhere(cast: Cast, two: Two) -> dict[str, Any]:
    return {"studies": [cast.study.pk]}


def refused_all(cast: Cast, two: Two) -> dict[str, Any]:
    return {"studies": "all"}


@pytest.mark.parametrize("change", [refused_elsewhere, refused_all])
def test_series_of_what_is_not_chosen_are_refused(
    cast: Cast, two: Two, change: Callable[[Cast, Two], dict[str, Any]]
) -> None:
    with pytest.raises(BadRequest):
        in_parts(cast, two, **change(cast, two))
    assert not Grant.objects.exists()


def test_programs_may_lend_parts_too(cast: Cast, two: Two) -> None:
    body = {
        "studies": [str(two.study.pk)],
        "series": [str(two.shown.pk)],
        "to": {"kind": "email", "email": "lee@example.org"},
        "rights": ["view"],
        "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    client = maria(cast)
    assert client.post("/api/v1/grants/", body, content_type="application/json").status_code == 201
    (listed,) = client.get("/api/v1/grants/").json()
    assert (listed["studies"], listed["series"]) == (body["studies"], body["series"])
    assert access.only_series(access.viewer_for(cast.lee), two.study.pk) == frozenset({two.shown.pk})
    (told,) = given.of(cast.maria)
    assert "Of it only:" in told.sentence


def test_nobody_lends_parts_of_what_is_not_hers(cast: Cast, two: Two) -> None:
    eve: User = cast.eve
    with pytest.raises(NotFound):
        give(eve, studies=[two.study.pk], series=[two.shown.pk])


def test_what_was_begun_with_more_of_it_is_not_gone_on_with(cast: Cast, two: Two) -> None:
    """Frames of a series whose loan has ended, to somebody who turns through another of the same study."""
    more = in_parts(cast, two, series=[two.hidden.pk])
    client = opened(more)
    in_parts(cast, two).post(client)
    frames = {}
    for one in (two.shown, two.hidden):
        sop = two.study.instances.filter(series=one).earliest("pk").sop_uid
        frames[one.pk] = f"/dicom-web/studies/{two.study.study_uid}/series/{one.series_uid}/instances/{sop}/frames/1"
        assert client.get(frames[one.pk]).status_code == 200
    grants.revoke(cast.maria, more.grant.pk)
    assert client.get(frames[two.shown.pk]).status_code == 200
    assert client.get(frames[two.hidden.pk]).status_code == 404
