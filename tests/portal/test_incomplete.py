"""What is missing or was taken back is said calmly: on my images, on the exam's page and at the desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from studies import announcements, completeness, intake, pipeline
from studies.models import Study
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for
from tests.reading import words_of
from tests.studies.documents_made import pdf_object
from tests.studies.notes_made import note

SENTENCE = "3 of 5 files have arrived; the facility is still sending."
TAG = "3 of 5 files have arrived"


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    """Three pictures of Maria's."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


def pages(cast: Cast, client: Client, study: Study) -> dict[str, str]:
    """What Maria reads, and what staff read."""
    client.force_login(cast.maria)
    told = {
        "home": words_of(client.get(reverse("home"))),
        "study": words_of(client.get(reverse("study", args=[study.pk]))),
    }
    client.force_login(cast.tom)
    told["desk"] = words_of(client.get(reverse("desk_patient", args=[study.patient_id])))
    return told


def send(cast: Cast, *files: bytes) -> None:
    assert not intake.publish(cast.lakeside, [[file] for file in files]).failed


def prepared(study: Study) -> None:
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()


def test_what_is_missing_is_said_until_it_has_come(client: Client, cast: Cast, published: Published) -> None:
    study = published.study
    assert not any("have arrived" in page for page in pages(cast, client, study).values()), "nothing was announced"
    announcements.announce(cast.lakeside, study.study_uid, 5)
    told = pages(cast, client, study)
    assert SENTENCE in told["study"]
    assert SENTENCE in told["desk"]
    assert TAG in told["home"]
    send(cast, factories.ct_file(4, study=9, PatientID="PUB-1"))
    assert "4 of 5 files have arrived" in pages(cast, client, study)["study"], "also while it is arriving"
    send(cast, factories.ct_file(5, study=9, PatientID="PUB-1"))
    told = pages(cast, client, study)
    assert not any("have arrived" in page for page in told.values())
    assert "Still arriving" in told["study"]
    prepared(study)
    assert not any("arriv" in page for page in pages(cast, client, study).values())


def test_what_was_rejected_has_come(client: Client, cast: Cast, published: Published) -> None:
    announcements.announce(cast.lakeside, published.study.study_uid, 4)
    send(cast, note((9, [factories.uid(9, 1, 1)]), study=9, PatientID="PUB-1"))
    prepared(published.study)
    assert completeness.incomplete([published.study]) == {}
    assert not any("have arrived" in page for page in pages(cast, client, published.study).values())


def test_a_document_that_has_come_is_called_no_picture(client: Client, cast: Cast, published: Published) -> None:
    announcements.announce(cast.lakeside, published.study.study_uid, 5)
    send(cast, pdf_object(StudyInstanceUID=published.study.study_uid, PatientID="PUB-1"))
    prepared(published.study)
    told = pages(cast, client, published.study)
    assert "4 of 5 files have arrived" in told["study"]
    assert not any("of 5 pictures" in page for page in told.values())


def test_in_spanish_too(client: Client, cast: Cast, published: Published) -> None:
    announcements.announce(cast.lakeside, published.study.study_uid, 5)
    client.cookies["django_language"] = "es"
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "es"
    told = pages(cast, client, published.study)
    for page in ("study", "desk"):
        assert "Han llegado 3 de 5 archivos; el centro sigue enviando." in told[page]
    assert "Han llegado 3 de 5 archivos" in told["home"]


def test_asking_what_is_missing_costs_one_statement_for_many(
    cast: Cast, published: Published, django_assert_num_queries: Any
) -> None:
    studies = [cast.study, published.study]
    with django_assert_num_queries(0):
        assert completeness.incomplete(studies) == {}
    for study in studies:
        study.expected_count = 5
    with django_assert_num_queries(1):
        missing = completeness.incomplete(studies)
    assert {pk: one.here for pk, one in missing.items()} == {cast.study.pk: 0, published.study.pk: 3}


def test_pictures_that_were_all_taken_back_are_no_blank(client: Client, cast: Cast, published: Published) -> None:
    study = published.study
    named = [factories.uid(9, 1, number) for number in (1, 2, 3)]
    send(cast, note((9, named), study=9, PatientID="PUB-1", code="113037"))
    prepared(study)
    told = pages(cast, client, study)
    assert "The facility has taken these pictures back" in told["study"]
    assert "No pictures to show here" not in told["study"]
    assert "CT chest" in told["study"]
    assert "Taken back by the facility" in told["home"]
    assert "3 images taken back: Rejected for patient safety reasons" in told["desk"]
    client.force_login(cast.maria)
    assert "took images back" in words_of(client.get(reverse("activity")))


def test_a_few_taken_back_are_told_to_staff_with_the_reason(client: Client, cast: Cast, published: Published) -> None:
    send(cast, note((9, [factories.uid(9, 1, 2)]), study=9, PatientID="PUB-1"))
    prepared(published.study)
    told = pages(cast, client, published.study)
    assert "1 image taken back: Rejected for quality reasons" in told["desk"]
    assert "2 pictures" in told["desk"]
    assert "2 pictures" in told["home"]
    assert "taken these pictures back" not in told["study"]
