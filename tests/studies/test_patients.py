"""Patients as a facility knows them."""

from __future__ import annotations

from datetime import date

import pytest

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, Facility
from studies import patients
from studies.models import Demographics, FacilityPatient, Study
from studies.patients import Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def facility() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


def register(
    facility: Facility, patient_id: str = "P1", source: str = Source.IMAGES, **said: object
) -> FacilityPatient:
    return patients.register(facility, patient_id, source=source, actor=Actor.operator(), **said)  # type: ignore[arg-type]


def test_a_patient_is_registered_once(facility: Facility) -> None:
    assert register(facility) == register(facility)
    assert AuditEvent.objects.filter(action="patient_registered").count() == 1


def test_the_same_id_elsewhere_is_somebody_else(facility: Facility) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    assert register(facility) != register(hilltop)


def test_the_same_id_of_two_issuers_is_two_patients(facility: Facility) -> None:
    assert register(facility, issuer="A") != register(facility, issuer="B")


def test_no_issuer_means_the_facilitys_own(facility: Facility) -> None:
    facility.issuer = "1.2.3"
    assert register(facility) == register(facility, issuer="1.2.3")


def test_what_is_said_is_kept_with_its_history(facility: Facility) -> None:
    register(facility, name="ZEBRAFISH^Mary", birth_date=date(1980, 5, 17))
    patient = register(facility, name="ZEBRAFISH^Maria", sex="F")
    assert (patient.name, patient.birth_date, patient.sex) == ("ZEBRAFISH^Maria", date(1980, 5, 17), "F")
    assert list(Demographics.objects.order_by("pk").values_list("name", flat=True)) == [
        "ZEBRAFISH^Mary",
        "ZEBRAFISH^Maria",
    ]


def test_nothing_new_leaves_no_trace(facility: Facility) -> None:
    register(facility, name="ZEBRAFISH^Maria", sex="F")
    register(facility, name="ZEBRAFISH^Maria")
    assert Demographics.objects.count() == 1


def test_a_patient_registered_before_her_images_is_the_one_they_show(facility: Facility) -> None:
    awaited = register(facility, source=Source.COMMAND)
    shown = register(facility, issuer="A")
    assert shown == awaited
    assert shown.issuer == "A"


def test_only_the_first_images_name_the_issuer(facility: Facility) -> None:
    known = register(facility)
    Study.objects.create(facility=facility, patient=known, study_uid="1.2.3")
    assert register(facility, issuer="A") != known


def test_a_person_need_not_name_the_issuer(facility: Facility) -> None:
    shown = register(facility, issuer="A")
    assert patients.find(facility, "P1") == shown
    assert register(facility, source=Source.DESK) == shown


def test_images_do_not_guess_the_issuer(facility: Facility) -> None:
    assert register(facility, issuer="A") != register(facility)


def test_a_person_is_asked_which_of_two_is_meant(facility: Facility) -> None:
    register(facility, issuer="A")
    second = register(facility, issuer="B")
    with pytest.raises(Conflict):
        patients.find(facility, "P1")
    assert patients.find(facility, "P1", "B") == second


def test_nobody_is_found_under_an_unknown_id(facility: Facility) -> None:
    assert patients.find(facility, "P9") is None
