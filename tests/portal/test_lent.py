"""What is lent, at the door and on the pages: seen as granted, written down, ended by a click."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import audit, people
from accounts.audit import Action
from accounts.errors import NotFound
from accounts.models import AttemptCounter, AuditEvent, Letter, User
from portal import delivery
from sharing import access, grants, lendings, releases
from sharing.access import Right
from sharing.models import Grant
from tests.at_once import at_once
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.portal.published import Published, publish_for
from tests.reading import words_of

BLOCK = bytes(2**20)


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


@pytest.fixture
def lee(client: Client, cast: Cast) -> Client:
    client.force_login(cast.lee)
    return client


def _lend(cast: Cast, to: User | None = None, **changes: Any) -> Grant:
    asked = {"studies": "all", "email": (to or cast.lee).email, "rights": ["view"], "way": "page", **changes}
    return grants.grant(cast.maria, **{"expires_at": timezone.now() + timedelta(days=1), **asked})


def _admit(user: User, cast: Cast, right: Right = Right.SEE) -> delivery.Pass:
    return delivery.admit(access.viewer_for(user), cast.study.pk, right)


# --- The door


def test_a_look_tells_by_which_grant_and_marks_it_opened(cast: Cast) -> None:
    made = _lend(cast)
    _admit(cast.lee, cast)
    look = AuditEvent.objects.get(action=Action.VIEWED)
    assert look.detail == {"relation": "lent", "grant": str(made.pk)}
    assert look.record_id == cast.maria.record.pk
    made.refresh_from_db()
    assert made.first_opened_at
    assert made.last_opened_at


def test_the_giver_is_told_of_the_first_opening_only(cast: Cast, clock: Clock) -> None:
    _lend(cast)
    for _ in range(2):
        _admit(cast.lee, cast)
        clock.move(minutes=16)
    (letter,) = Letter.objects.filter(template="sharing/email/opened")
    assert letter.to == cast.maria.email
    assert "lee" not in f"{letter.subject} {letter.text}"


def test_ones_own_look_opens_no_grant(cast: Cast) -> None:
    made = _lend(cast)
    _admit(cast.maria, cast)
    made.refresh_from_db()
    assert made.first_opened_at is None
    assert AuditEvent.objects.get(action=Action.VIEWED).detail == {"relation": "own"}


def test_staff_who_look_at_what_is_lent_to_them_look_as_themselves(cast: Cast) -> None:
    _lend(cast, cast.tom, rights=["view", "download"])
    _admit(cast.tom, cast, Right.DOWNLOAD)
    _admit(cast.tom, cast, Right.REPORT)
    kinds = dict(AuditEvent.objects.filter(study_id=cast.study.pk).values_list("action", "actor_kind"))
    assert (kinds[Action.DOWNLOADED], kinds[Action.REPORT_VIEWED]) == ("person", "staff")


def test_stopping_ends_a_running_download_and_leaves_the_owners_own(cast: Cast) -> None:
    made = _lend(cast, rights=["view", "download"])
    hers = delivery.stream(_admit(cast.lee, cast, Right.DOWNLOAD), _endless())
    own = delivery.stream(_admit(cast.maria, cast, Right.DOWNLOAD), _endless())
    for stream in (hers, own):
        next(stream)
    grants.revoke(cast.maria, made.pk)
    assert _mebibytes_until_it_ends(hers) <= 4
    assert len([next(own) for _ in range(20)]) == 20


def _endless() -> Iterator[bytes]:
    while True:
        yield BLOCK


def _mebibytes_until_it_ends(stream: Iterator[bytes]) -> int:
    sent: list[bytes] = []
    with pytest.raises(delivery.LookEnded):
        sent.extend(islice(stream, 100))
    return len(sent)


@pytest.mark.parametrize("end", ["withdrawn", "over", "to look only"])
def test_whatever_ends_the_right_ends_the_download(cast: Cast, clock: Clock, end: str) -> None:
    made = _lend(cast, rights=["view", "download"])
    stream = delivery.stream(_admit(cast.lee, cast, Right.DOWNLOAD), _endless())
    next(stream)
    if end == "withdrawn":
        releases.withdraw(cast.study, "wrong patient", actor=access.viewer_for(cast.tom).actor)
    elif end == "over":
        clock.move(days=2)
    else:
        _lend(cast, rights=["view"])
        grants.revoke(cast.maria, made.pk)
    assert _mebibytes_until_it_ends(stream) <= 4


@pytest.mark.django_db(transaction=True)
def test_no_look_is_recorded_under_a_grant_stopped_before(cast: Cast) -> None:
    """Eight looks race one revocation: each is either written down before it or refused."""
    made = _lend(cast)
    viewer = access.viewer_for(cast.lee)
    looks = [lambda way=f"way {n}": delivery.admit(viewer, cast.study.pk, Right.SEE, way) for n in range(8)]
    *answers, stopped = at_once([*looks, lambda: grants.revoke(cast.maria, made.pk)])
    assert stopped is None
    assert {type(answer) for answer in answers} <= {delivery.Pass, NotFound}
    written = AuditEvent.objects.filter(action=Action.VIEWED, detail__grant=str(made.pk))
    assert written.count() == sum(isinstance(answer, delivery.Pass) for answer in answers)
    revoked = AuditEvent.objects.get(action=Action.REVOKED)
    assert not written.filter(pk__gt=revoked.pk).exists()


# --- The pages


def test_a_study_that_is_lent_says_by_whom_until_when(lee: Client, cast: Cast, published: Published) -> None:
    people.change_details(cast.maria, name="Maria Z.", birth_date=None)
    _lend(cast, studies=[published.study.pk], note="Before Monday")
    page = lee.get(reverse("study", args=[published.study.pk]))
    assert "Lent to you by Maria Z. until" in words_of(page)
    assert "Before Monday" in words_of(page)
    assert "Who looked" not in words_of(page)
    assert reverse("lend", args=[published.study.pk]) not in page.content.decode()
    assert reverse("take_home", args=[published.study.pk]) not in page.content.decode()


def test_a_report_that_is_not_lent_is_nowhere(lee: Client, cast: Cast, published: Published) -> None:
    _lend(cast, studies=[published.study.pk], rights=["view", "download"])
    address = [published.study.pk]
    assert 'id="report"' not in lee.get(reverse("study", args=address)).content.decode()
    assert lee.get(reverse("report", args=address)).status_code == 403
    archive = _archive(lee, published)
    assert [name for name in archive.namelist() if name.startswith("DICOM/")]
    assert not [name for name in archive.namelist() if name.startswith("REPORT/")]


def test_a_report_that_is_lent_comes_with_the_download(lee: Client, cast: Cast, published: Published) -> None:
    _lend(cast, studies=[published.study.pk], rights=["view", "report", "download"])
    assert [name for name in _archive(lee, published).namelist() if name.startswith("REPORT/")]


def _archive(client: Client, published: Published) -> zipfile.ZipFile:
    answer: Any = client.get(reverse("download", args=[published.study.pk]))
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def test_the_owner_reads_with_how_many_she_shares_and_who_looked(
    client: Client, cast: Cast, published: Published
) -> None:
    _lend(cast, studies=[published.study.pk])
    _lend(cast, cast.eve, studies="all_and_later")
    grants.revoke(cast.maria, _lend(cast, cast.ana).pk)
    delivery.admit(access.viewer_for(cast.lee), published.study.pk, Right.SEE)
    client.force_login(cast.maria)
    page = client.get(reverse("study", args=[published.study.pk]))
    assert "Shared with 2 people" in words_of(page)
    assert "lee@example.org looked at the pictures" in words_of(page)


def test_staff_do_not_read_with_whom_a_patient_shares(client: Client, cast: Cast, published: Published) -> None:
    _lend(cast)
    delivery.admit(access.viewer_for(cast.lee), published.study.pk, Right.SEE)
    client.force_login(cast.tom)
    page = words_of(client.get(reverse("study", args=[published.study.pk])))
    assert "Shared with" not in page
    assert "lee@example.org" not in page


def test_the_words_of_a_report_on_the_study_page_are_a_look_at_it(
    client: Client, cast: Cast, published: Published
) -> None:
    client.force_login(cast.maria)
    client.get(reverse("study", args=[published.study.pk]))
    assert AuditEvent.objects.filter(action=Action.REPORT_VIEWED, study_id=published.study.pk).count() == 1


# --- What is lent to me


def test_the_providers_page_is_patient_by_patient_the_unseen_first(lee: Client, cast: Cast) -> None:
    people.change_details(cast.maria, name="Maria Z.", birth_date=None)
    _lend(cast, note="the older one")
    _lend(cast, studies="all_and_later", rights=["view", "report"], note="the newer one")
    grants.grant(
        cast.eve,
        studies="all_and_later",
        email=cast.lee.email,
        rights=["view"],
        expires_at=timezone.now() + timedelta(days=2),
        way="page",
    )
    told = lendings.of(cast.lee)
    assert [(one.name, len(one.studies), one.is_new) for one in told] == [
        ("Maria Z.", 1, True),
        ("eve@example.org", 0, False),
    ]
    assert told[0].notes == ["the newer one", "the older one"]
    study = told[0].studies[0]
    assert (study.may_report, study.may_download, study.is_new) == (True, False, True)
    page = words_of(lee.get(reverse("provider")))
    assert "Not seen yet" in page
    assert "the newer one" in page


def test_what_was_looked_at_is_not_new(lee: Client, cast: Cast) -> None:
    _lend(cast, studies="all_and_later")
    _admit(cast.lee, cast)
    assert [one.is_new for one in lendings.of(cast.lee)] == [False]
    later = a_study(cast.patient)
    releases.release(later, actor=access.viewer_for(cast.tom).actor)
    assert [one.study for one in lendings.of(cast.lee)[0].studies if one.is_new] == [later]


def test_the_end_of_each_study_is_its_last(cast: Cast) -> None:
    first = timezone.now() + timedelta(days=1)
    _lend(cast, studies=[cast.study.pk], expires_at=first)
    _lend(cast, studies="all_and_later", expires_at=first + timedelta(days=1))
    (lending,) = lendings.of(cast.lee)
    assert lending.until == lending.studies[0].until == first + timedelta(days=1)


def test_the_page_asks_no_more_questions_for_more_studies(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        releases.release(a_study(cast.patient), actor=access.viewer_for(cast.tom).actor)
    _lend(cast)
    _lend(cast, studies="all_and_later")
    with django_assert_max_num_queries(8):  # one of them asks which are lent in parts
        assert len(lendings.of(cast.lee)[0].studies) == 6


def _listed() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=Action.LISTED).order_by("pk"))


def test_the_list_of_what_is_lent_is_a_look_the_patient_reads(lee: Client, cast: Cast, clock: Clock) -> None:
    made = _lend(cast, studies="all_and_later")
    for _ in range(2):
        lee.get(reverse("provider"))
    (event,) = _listed()
    assert (event.study_id, event.record_id, event.facility_id) == (
        cast.study.pk,
        cast.maria.record.pk,
        cast.lakeside.pk,
    )
    assert event.detail == {"relation": "lent", "grant": str(made.pk)}
    clock.move(minutes=16)
    lee.get(reverse("provider"))
    assert len(_listed()) == 2
    assert lendings.of(cast.lee)[0].is_new, "to see it listed is not to have looked at it"
    lee.force_login(cast.maria)
    assert "lee@example.org saw the exam in a list of what is lent" in words_of(lee.get(reverse("activity")))
    assert "in a list of what is lent" not in words_of(lee.get(reverse("study", args=[cast.study.pk])))


def test_a_name_in_the_list_without_an_exam_is_a_look_too(lee: Client, cast: Cast) -> None:
    _lend(cast, studies="all_and_later")
    releases.withdraw(cast.study, "wrong side", actor=access.viewer_for(cast.tom).actor)
    lee.get(reverse("provider"))
    (event,) = _listed()
    assert (event.study_id, event.record_id) == (None, cast.maria.record.pk)
    lee.force_login(cast.maria)
    assert "saw your name in a list of what is lent" in words_of(lee.get(reverse("activity")))


def test_a_list_that_cannot_be_written_down_is_not_shown(
    lee: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lend(cast)
    monkeypatch.setattr(audit, "record_all", _broken)
    lee.raise_request_exception = False
    assert lee.get(reverse("provider")).status_code >= 500


def _broken(events: Any) -> None:
    raise DatabaseError


def test_writing_the_list_down_costs_the_same_for_more_studies(cast: Cast) -> None:
    _lend(cast, studies="all_and_later")
    few = _statements(cast.lee)
    for _ in range(5):
        releases.release(a_study(cast.patient), actor=access.viewer_for(cast.tom).actor)
    AttemptCounter.objects.all().delete()
    assert _statements(cast.lee) == few
    assert len(_listed()) == 7
    assert _statements(cast.lee) < few


def _statements(user: User) -> int:
    with CaptureQueriesContext(connection) as asked:
        lendings.show(user)
    return len(asked)


def test_nothing_lent_is_said_kindly(lee: Client, cast: Cast) -> None:
    assert "Nothing is lent to you" in words_of(lee.get(reverse("provider")))
    grants.revoke(cast.maria, _lend(cast).pk)
    assert lendings.of(cast.lee) == []


def test_the_way_there_is_shown_to_whom_it_leads_somewhere(client: Client, cast: Cast) -> None:
    def leads_there(user: User) -> bool:
        client.force_login(user)
        return f'href="{reverse("provider")}"' in client.get("/").content.decode()

    assert leads_there(cast.lee)
    assert not leads_there(cast.eve)
    _lend(cast, cast.eve)
    assert leads_there(cast.eve)
