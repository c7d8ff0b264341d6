"""Parts of a study, once more: what ends while somebody looks, what comes while she searches, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Actor
from accounts.errors import NotFound
from portal import delivery
from sharing import access, capabilities, openings
from sharing.access import Machine, Right, Viewer
from sharing.models import Capability
from studies import burned_in, intake, matching, parts, pipeline
from studies.models import Study
from tests import factories
from tests.cast import Cast
from tests.portal.test_parts import Two, in_parts, opened, two
from tests.reading import words_of
from tests.sharing.links_made import give
from tests.studies.documents_made import radiology_report

__all__ = ["two"]


def with_an_ultrasound_and_a_report(two: Two) -> Study:
    """Maria's study, with a hidden series more that is of another kind, and a report in a series of its own."""
    about = {"PatientID": "TWO-1", "StudyInstanceUID": factories.uid(7)}
    said = {"Modality": "US", "SeriesDescription": "Hidden heart", "BodyPartExamined": "HEART", "SeriesNumber": 3}
    said |= {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}
    files = [factories.ct_file(20, study=7, series=3, PatientID="TWO-1", **said)]
    files.append(
        radiology_report(SeriesInstanceUID=factories.uid(7, 9), SOPInstanceUID=factories.uid(7, 9, 1), **about)
    )
    assert len(intake.publish(two.study.facility, [[file] for file in files]).stored) == 2
    pipeline.advance(two.study.pk, at_once=True)
    return Study.objects.get(pk=two.study.pk)


# --- What ends while somebody looks


def session_closes(viewer: Viewer) -> None:
    assert isinstance(viewer, access.Guest)
    openings.close(viewer.session)


def capability_ends(viewer: Viewer) -> None:
    Capability.objects.update(ended_at=timezone.now())


def capability_expires(viewer: Viewer) -> None:
    Capability.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("kind", "end"), [("guest", session_closes), ("machine", capability_ends), ("machine", capability_expires)]
)
def test_whoever_is_shut_out_meanwhile_finds_nothing_and_not_all(
    cast: Cast, two: Two, monkeypatch: pytest.MonkeyPatch, kind: str, end: Callable[[Viewer], None]
) -> None:
    made = in_parts(cast, two)
    viewer: Viewer = made.guest()
    if kind == "machine":
        viewer = Machine(capabilities.make(made.grant, actor=Actor.nobody()).capability)
    leave = delivery.admit(viewer, two.study.pk, Right.DOWNLOAD)
    end(viewer)
    monkeypatch.setattr(access, "has", lambda *_args: True)  # as it was a moment before
    assert access.only_series(viewer, two.study.pk) == frozenset()
    assert access.parts_of(viewer) == {two.study.pk: frozenset()}
    assert not delivery._holds_parts(leave)
    with pytest.raises(NotFound):
        access.study_for(viewer, two.study.pk)


# --- What comes while somebody searches


@pytest.mark.parametrize("place", ["studies", "series", "instances"])
def test_a_part_that_is_lent_while_a_search_runs_comes_with_its_bounds(
    cast: Cast, two: Two, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    other = give(cast.maria, studies=[cast.study.pk], passcode=False)
    client = opened(other)
    session = other.row.grant.openings.get().session
    late = in_parts(cast, two)
    fetch = matching._page

    def fetch_a_moment_later(found: Any, query: Any) -> Any:
        if not late.row.openings:  # what was asked before the rows are read knows nothing of it
            openings.open_link(late.slug, late.secret, session=session, host=None)
        return fetch(found, query)

    monkeypatch.setattr(matching, "_page", fetch_a_moment_later)
    found = client.get(f"/dicom-web/{place}?PatientID=TWO-1&StudyInstanceUID={two.study.study_uid}").json()
    assert late.row.openings == 1
    assert found
    assert two.hidden.series_uid not in str(found)
    if place == "studies":
        assert found[0]["00201208"]["Value"] == [3]


# --- What is said


def test_nothing_is_said_of_what_is_not_lent(cast: Cast, two: Two) -> None:
    study = with_an_ultrasound_and_a_report(two)
    assert {"CT", "US"} <= set(study.modalities)
    Study.objects.filter(pk=study.pk).update(expected_count=40, description="", body_part="HEART")
    client = opened(in_parts(cast, two))
    whole = opened(give(cast.maria, studies=[study.pk], passcode=False))
    told = {}
    for kind, one in (("part", client), ("whole", whole)):
        names = ("study", "viewer", "shared")
        pages = [one.get(reverse(name, args=[] if name == "shared" else [study.pk])) for name in names]
        told[kind] = " ".join(words_of(page) for page in pages).casefold()
    for word in ("heart", "of 40"):
        assert word in told["whole"]
        assert word not in told["part"]


def test_no_search_tells_of_what_is_not_lent(cast: Cast, two: Two) -> None:
    study = with_an_ultrasound_and_a_report(two)
    client = opened(in_parts(cast, two))
    (row,) = client.get("/dicom-web/studies").json()
    assert row["00080061"]["Value"] == ["CT"]
    for place in ("studies", "series", "instances"):
        assert client.get(f"/dicom-web/{place}?ModalitiesInStudy=CT").json()
        assert client.get(f"/dicom-web/{place}?ModalitiesInStudy=US").json() == []
    whole = opened(give(cast.maria, studies=[study.pk], passcode=False))
    assert whole.get("/dicom-web/studies?ModalitiesInStudy=US").json()


def test_whether_names_may_be_in_the_pictures_is_said_of_what_is_lent(cast: Cast, two: Two) -> None:
    study = with_an_ultrasound_and_a_report(two)
    assert burned_in.may_be_in([study])
    parts.narrow(study, frozenset({two.shown.pk}))
    assert not burned_in.may_be_in([study])


def test_words_are_read_where_the_report_is_lent_and_nowhere_else(cast: Cast, two: Two) -> None:
    """One series with the report, and the series of the structured report for looking only."""
    study = with_an_ultrasound_and_a_report(two)
    written = study.series.get(modality="SR")
    made = in_parts(cast, two, rights=["view", "report"])
    client = opened(made)
    in_parts(cast, two, series=[written.pk], rights=["view"]).post(client)
    base = f"/dicom-web/studies/{study.study_uid}"
    of_series = f"{base}/series/{written.series_uid}"
    places = [f"{of_series}/metadata", f"{of_series}/instances/{factories.uid(7, 9, 1)}/metadata"]
    assert [client.get(place).status_code for place in places] == [404, 404]
    assert client.get(f"{of_series}/instances").json() == []
    assert "SR" not in [one["00080060"]["Value"][0] for one in client.get(f"{base}/series").json()]
    (row,) = client.get(f"/dicom-web/studies?StudyInstanceUID={study.study_uid}").json()
    assert row["00080061"]["Value"] == ["CT"]
    in_parts(cast, two, series=[written.pk], rights=["view", "report"]).post(client)
    assert [client.get(place).status_code for place in places] == [200, 200]


# --- Where many are one


def test_many_browsers_behind_one_link_share_what_there_is_for_one(cast: Cast, two: Two) -> None:
    made = in_parts(cast, two)
    guests = [made.guest() for _ in range(2)]
    everybody: list[Viewer] = [*guests, Machine(capabilities.make(made.grant, actor=Actor.nobody()).capability)]
    assert len({one.key for one in everybody}) == 3
    assert len({one.crowd for one in everybody}) == 1
    assert in_parts(cast, two).guest().crowd != guests[0].crowd
    host = access.viewer_for(cast.eve)
    assert access.viewer_for(cast.eve, guests[0].session).crowd == host.crowd


def test_a_study_says_nothing_else_when_all_of_it_is_lent(two: Two) -> None:
    before = {name: getattr(two.study, name) for name in ("modalities", "body_part", "series_count", "expected_count")}
    parts.narrow(two.study, None)
    assert {name: getattr(two.study, name) for name in before} == before
    assert len(parts.shown_of(two.study)) == 2
