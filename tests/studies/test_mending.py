"""Sending again what is damaged mends it: the row stays, its bytes are new, and nothing is stored twice for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Facility
from studies import catalog, intake, receipts, reports
from studies.models import FacilityPatient, Instance, Quarantined, Rendition, Report, SealedObject
from studies.store import damage, keys, scrub
from studies.store.objects import read
from tests import factories
from tests.studies.prepared import ready

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]


@pytest.fixture
def facility() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


def send(facility: Facility, *files: bytes) -> intake.Receipt:
    return intake.publish(facility, [[file] for file in files])


def test_the_same_bytes_again_take_the_place_of_damaged_ones(facility: Facility) -> None:
    files = factories.ct_series(2)
    send(facility, *files)
    study = ready(facility)
    before = set(Instance.objects.values_list("pk", flat=True))
    (pack,) = {instance.pack for instance in study.instances.all()}
    damage.note(pack, "bytes")
    assert {row["state"] for row in receipts.receipt(facility, study.study_uid)["instances"]} == {"damaged"}
    assert len(send(facility, *files).stored) == 2
    study = ready(facility)
    assert {row["state"] for row in receipts.receipt(facility, study.study_uid)["instances"]} == {"ready"}
    assert set(Instance.objects.values_list("pk", flat=True)) == before
    assert [b"".join(original.blocks()) for original in catalog.originals(study)] == files
    assert not SealedObject.objects.filter(pk=pack.pk).exists()


def test_what_is_whole_is_not_stored_again(facility: Facility) -> None:
    files = factories.ct_series(2)
    send(facility, *files)
    ready(facility)
    packs = SealedObject.objects.filter(kind="pack").count()
    assert len(send(facility, *files).repeated) == 2
    assert SealedObject.objects.filter(kind="pack").count() == packs


@pytest.mark.parametrize("is_read", [False, True])
def test_what_is_damaged_before_its_pictures_are_made_costs_no_other(facility: Facility, is_read: bool) -> None:
    whole, lost = factories.ct_series(2)
    send(facility, whole)
    send(facility, lost)
    if is_read:
        ready(facility)
        damage.note(Rendition.objects.all()[0].stack, "bytes")
        assert scrub.remake_pictures() == 1
    damage.note(Instance.objects.get(sop_uid=factories.uid(1, 1, 2)).pack, "bytes")
    assert [one.index for one in catalog.previews(ready(facility))] == [1]
    send(facility, lost)
    assert [one.index for one in catalog.previews(ready(facility))] == [1, 2]


def test_an_older_version_is_mended_without_undoing_the_newer(facility: Facility) -> None:
    old, new = factories.ct_file(1), factories.ct_file(1, WindowCenter=50)
    send(facility, old)
    (pack,) = SealedObject.objects.all()
    send(facility, new)
    damage.note(pack, "bytes")
    send(facility, old)
    versions = Instance.objects.order_by("version")
    assert [(one.version, one.superseded_at is None) for one in versions] == [(1, False), (2, True)]
    assert [b"".join(read(one.pack, one.offset, one.length)) for one in versions] == [old, new]


def test_what_was_set_aside_is_mended_too(facility: Facility) -> None:
    file = factories.ct_file(1, PatientID=None)
    assert len(send(facility, file).quarantined) == 1
    damage.note(Quarantined.objects.get().pack, "bytes")
    assert len(send(facility, file).quarantined) == 1
    held = Quarantined.objects.get()
    assert b"".join(read(held.pack, held.offset, held.length)) == file


def test_a_patient_who_was_erased_and_is_published_again_has_another_key(facility: Facility) -> None:
    files = factories.ct_series(2)
    send(facility, *files)
    study = ready(facility)
    Rendition.objects.all().delete()
    SealedObject.objects.update(wrapped_key=b"")
    type(study.patient).objects.update(wrapped_key=b"")
    with pytest.raises(keys.Erased):
        next(catalog.originals(study)).blocks()
    assert len(send(facility, *files).stored) == 2
    study = ready(facility)
    assert [b"".join(original.blocks()) for original in catalog.originals(study)] == files
    assert catalog.series_of(study)[0].count == 2


def test_a_patient_who_was_erased_has_one_key_for_all_her_studies(facility: Facility) -> None:
    send(facility, *(factories.ct_file(1, study=study) for study in (1, 2)))
    FacilityPatient.objects.update(wrapped_key=b"")
    files = [factories.ct_file(2, study=study) for study in (1, 2)]
    send(facility, *files)
    new = Instance.objects.order_by("pk")[2:]
    assert [b"".join(read(one.pack, one.offset, one.length)) for one in new] == files


def test_a_damaged_report_is_mended_by_sending_it_again(facility: Facility) -> None:
    said: Any = {"study_uid": factories.uid(1), "status": Report.Status.FINAL, "content": "Nothing unusual."}
    kept, _new = reports.receive(facility, **said)
    damage.note(kept.body, "bytes")
    again, is_new = reports.receive(facility, **said)
    assert (again.pk, is_new) == (kept.pk, False)
    assert reports.text(Report.objects.get()) == "Nothing unusual."
    assert not SealedObject.objects.exclude(damaged_at=None).exists()
    sealed = SealedObject.objects.get()
    assert reports.receive(facility, **said)[0].body == sealed  # what is whole is not stored again
