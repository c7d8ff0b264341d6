"""Two facilities publish the same UIDs: on no level do they meet, replace, hide or count each other's (AZ-10…13)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, models, transaction
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import NotFound
from accounts.models import AuditEvent, Facility
from studies import (
    announcements,
    catalog,
    completeness,
    intake,
    pipeline,
    quarantine,
    receipts,
    rejections,
    reports,
)
from studies.models import Instance, Quarantined, Rejection, Report, SealedObject, Series, Study
from studies.store import keys, objects, sealing
from studies.store.damage import Damaged
from studies.takehome import archive
from tests.cast import a_patient
from tests.factories import ct_file, ct_series, uid
from tests.studies.notes_made import note

pytestmark = pytest.mark.django_db

CLERK = Actor("staff", "7", "A desk")


@dataclass
class Twins:
    """Two facilities with the same study, byte for byte, each ready."""

    lakeside: Facility
    hilltop: Facility
    ours: Study
    theirs: Study

    def refresh(self) -> None:
        for study in (self.ours, self.theirs):
            pipeline.advance(study.pk, at_once=True)
            study.refresh_from_db()


@pytest.fixture
def twins(db: None, tmp_path: Path, settings: Settings) -> Twins:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    lakeside, hilltop = (Facility.objects.create(name=name, slug=name.lower()) for name in ("Lakeside", "Hilltop"))
    for facility in (lakeside, hilltop):
        assert len(intake.publish(facility, [[file] for file in ct_series(3)]).stored) == 3
    made = Twins(lakeside, hilltop, lakeside.studies.get(), hilltop.studies.get())
    made.refresh()
    return made


def everything_of(facility: Facility) -> list[Any]:
    """Every row of a facility's, however deep it lies."""
    of_study = {"study__facility": facility}
    rows: tuple[models.QuerySet[Any], ...] = (
        facility.patients.all(),
        facility.studies.all(),
        facility.publications.all(),
        facility.reports.all(),
        Series.objects.filter(**of_study),
        Instance.objects.filter(**of_study),
        Rejection.objects.filter(**of_study),
        Quarantined.objects.filter(facility=facility),
        SealedObject.objects.filter(facility=facility),
        AuditEvent.objects.filter(facility_id=facility.pk),
    )
    return [list(some.order_by("pk").values()) for some in rows]


def packed(study: Study) -> bytes:
    return b"".join(archive.plan_of(study).blocks())


def test_the_same_bytes_are_two_studies_with_keys_of_their_own(twins: Twins) -> None:
    ours, theirs = twins.ours, twins.theirs
    assert (ours.study_uid, ours.pk, ours.patient_id) != (theirs.study_uid, theirs.pk, theirs.patient_id)
    assert not {*ours.instances.values_list("pack", flat=True)} & {*theirs.instances.values_list("pack", flat=True)}
    assert not {*ours.series.values_list("pk", flat=True)} & {*theirs.series.values_list("pk", flat=True)}
    for study in (ours, theirs):
        assert [b"".join(one.blocks()) for one in catalog.originals(study)] == ct_series(3)


def test_what_one_sealed_does_not_open_as_the_others(twins: Twins) -> None:
    pack = SealedObject.objects.filter(facility=twins.lakeside, kind="pack").first()
    assert pack
    pack.facility = twins.hilltop
    with pytest.raises(Damaged):
        b"".join(objects.read(pack))
    pack.facility, pack.patient = twins.lakeside, twins.theirs.patient
    with pytest.raises(sealing.Tampered):
        keys.opened(pack)


def act_version(twins: Twins) -> None:
    intake.publish(twins.lakeside, [[ct_file(1, SeriesDescription="Corrected")]])


def act_contradict(twins: Twins) -> None:
    intake.publish(twins.lakeside, [[ct_file(2, PatientID="P2")], [ct_file(3, StudyInstanceUID=uid(5))]])


def act_take_in(twins: Twins) -> None:
    act_contradict(twins)
    for waiting in quarantine.waiting(twins.lakeside):
        quarantine.take_in(twins.lakeside, waiting.key, waiting.upto, twins.ours.patient, actor=CLERK)


def act_leave_out(twins: Twins) -> None:
    act_contradict(twins)
    for waiting in quarantine.waiting(twins.lakeside):
        quarantine.leave_out(twins.lakeside, waiting.key, waiting.upto, quarantine.Why.TEST, actor=CLERK)


def act_reject(twins: Twins) -> None:
    intake.publish(twins.lakeside, [[note((1, [uid(1, 1, 1)]), code="113037")]])


def act_report(twins: Twins) -> None:
    text = b"Lungs clear."
    reports.receive(twins.lakeside, study_uid=uid(1), status=Report.Status.FINAL, content=text)


def act_announce(twins: Twins) -> None:
    announcements.announce(twins.lakeside, uid(1), 20)


@pytest.mark.parametrize(
    "act", [act_version, act_contradict, act_take_in, act_leave_out, act_reject, act_report, act_announce]
)
def test_whatever_one_does_with_a_uid_the_twin_stays_as_it_is(twins: Twins, act: Any) -> None:
    before, zipped = everything_of(twins.hilltop), packed(twins.theirs)
    receipt, own = receipts.receipt(twins.hilltop, uid(1)), everything_of(twins.lakeside)
    act(twins)
    twins.refresh()
    assert everything_of(twins.lakeside) != own, "something did happen"
    assert everything_of(twins.hilltop) == before
    assert packed(twins.theirs) == zipped
    assert receipts.receipt(twins.hilltop, uid(1)) == receipt
    assert quarantine.waiting(twins.hilltop) == []
    assert rejections.counts([twins.theirs]) == {}
    assert completeness.incomplete([twins.theirs]) == {}
    assert reports.released(twins.theirs) == []


def test_a_report_that_waits_for_its_study_goes_to_no_twin_of_it(twins: Twins) -> None:
    reports.receive(twins.hilltop, study_uid=uid(2), status=Report.Status.FINAL, content=b"Theirs.")
    intake.publish(twins.lakeside, [[file] for file in ct_series(1, study=2)])
    study = twins.lakeside.studies.get(study_uid=uid(2))
    pipeline.advance(study.pk, at_once=True)
    assert not study.reports.exists()
    assert Report.objects.get().study is None


def test_a_receipt_is_its_facilitys_alone(twins: Twins) -> None:
    intake.publish(twins.lakeside, [[file] for file in ct_series(1, study=2)])
    with pytest.raises(NotFound):
        receipts.receipt(twins.hilltop, uid(2))


def test_no_picture_is_found_by_the_twins_series(twins: Twins) -> None:
    (series,) = catalog.series_of(twins.ours)
    assert catalog.picture(twins.ours, series.id, "preview", 1)
    with pytest.raises(NotFound):
        catalog.picture(twins.theirs, series.id, "preview", 1)


def test_the_database_itself_keeps_a_uid_once_a_facility(twins: Twins) -> None:
    """The facility stands in every key, so that no race and no mistake above can join the two."""
    patient = a_patient(twins.lakeside)
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        Study.objects.create(facility=twins.lakeside, patient=patient, study_uid=uid(1))
    for model in (Study, Instance, Quarantined):
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
        uids = [
            found["columns"]
            for found in constraints.values()
            if found["unique"] and {"study_uid", "sop_uid"} & {*found["columns"]}
        ]
        assert uids
        assert all("facility_id" in columns for columns in uids)
