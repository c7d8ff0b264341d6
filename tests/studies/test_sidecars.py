"""What is kept of a series' headers says what the headers say, and is let go with what it speaks of."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from django.db.models import F
from pydicom import dcmread
from pytest_django import Settings

from accounts.models import Facility
from studies import intake, pipeline, retrieving, sandbox, sidecars
from studies.models import Instance, SealedObject, Series, Sidecar, Study
from studies.rejections import take_out
from studies.sandbox import SandboxDied
from studies.store import objects, scrub, shredding
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "https://images.example.org/dicom-web"


@pytest.fixture
def lakeside(tmp_path: Path, settings: Settings) -> Facility:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return Facility.objects.create(slug="lakeside", name="Lakeside")


def publish(facility: Facility, *files: bytes) -> Study:
    intake.publish(facility, [[file] for file in files])
    study = Study.objects.get(facility=facility)
    pipeline.advance(study.pk, at_once=True)
    return study


def told(study: Study) -> list[dict[str, dict[str, object]]]:
    found = retrieving.instances(study, readable=None)
    said: list[dict[str, dict[str, object]]] = json.loads(retrieving.metadata(found, BASE, whose="her"))
    return said


def nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("the headers were read again")

    monkeypatch.setattr(sandbox, "run", refuse)


def test_a_whole_series_is_told_without_reading_it_again(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    study = publish(lakeside, *factories.ct_series(4, study=5))
    kept = told(study)
    (sidecar,) = Sidecar.objects.all()
    Sidecar.objects.update(instances=[])
    assert told(study) == kept, "read from the files"
    Sidecar.objects.update(instances=sidecar.instances)
    nobody_reads(monkeypatch)
    assert told(study) == kept
    one = dcmread(BytesIO(factories.ct_series(4, study=5)[0]))
    address = f"{BASE}/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
    assert {"vr": "OW", "BulkDataURI": f"{address}/bulkdata/7FE00010"} in [row["7FE00010"] for row in kept]
    assert sidecars.ANCHOR not in json.dumps(kept)


def test_it_lies_sealed(lakeside: Facility) -> None:
    publish(lakeside, *factories.ct_series(2, study=5))
    stack = Sidecar.objects.get().stack
    stored = objects.store().read_at(stack.pk, 0, objects.store().size(stack.pk))
    assert stack.patient == Study.objects.get().patient
    assert b"\x1f\x8b\x08" not in stored[:200]


def test_what_comes_later_is_told_too(lakeside: Facility) -> None:
    files = factories.ct_series(3, study=5)
    study = publish(lakeside, *files[:2])
    before = SealedObject.objects.filter(kind="sidecar").count()
    publish(lakeside, files[2])
    assert len(told(study)) == 3
    assert len(Sidecar.objects.get().instances) == 3
    assert SealedObject.objects.filter(kind="sidecar").count() == before, "the old one is gone"


def test_while_more_arrives_what_has_come_is_told(lakeside: Facility) -> None:
    files = factories.ct_series(3, study=5)
    study = publish(lakeside, *files[:2])
    intake.publish(lakeside, [[files[2]]])
    assert len(told(study)) == 3


def test_what_is_taken_out_is_not_told(lakeside: Facility) -> None:
    study = publish(lakeside, *factories.ct_series(3, study=5))
    gone = Instance.objects.earliest("pk")
    Instance.objects.filter(pk=gone.pk).update(rejected_at=F("indexed_at"))
    assert gone.sop_uid not in json.dumps(told(study))
    take_out(study, {gone.pk})
    assert not Sidecar.objects.exists()


def test_shredding_takes_it_along(lakeside: Facility) -> None:
    study = publish(lakeside, *factories.ct_series(2, study=5))
    shredding.shred(study.patient)
    assert not Sidecar.objects.exists()


def test_a_damaged_one_is_made_again(lakeside: Facility) -> None:
    study = publish(lakeside, *factories.ct_series(2, study=5))
    kept, stack = told(study), Sidecar.objects.get().stack
    path = objects.store().root / "objects" / stack.pk.hex[:2] / f"{stack.pk.hex}.lbx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert told(study) == kept, "the headers are read again"
    assert scrub.remake_pictures() == 1
    pipeline.advance(study.pk, at_once=True)
    assert Sidecar.objects.get().stack != stack
    assert told(study) == kept


def test_a_file_that_kills_its_reader_costs_no_neighbour(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    study = publish(lakeside, *factories.ct_series(3, study=5))
    Sidecar.objects.update(instances=[])
    killer, real = factories.ct_series(3, study=5)[1][:2000], sandbox.run

    def run(task: str, args: object, blobs: object = (), **more: object) -> object:
        held = list(blobs)  # type: ignore[call-overload]
        if task == "metadata" and any(killer[:600] == blob[:600] for blob in held):
            raise SandboxDied("killed")
        return real(task, args, held, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "run", run)
    rows = told(study)
    assert [len(row) > 10 for row in rows].count(False) == 1
    assert all(row["0020000D"]["Value"] == [study.study_uid] for row in rows)


def test_a_series_of_many_is_kept_series_by_series(lakeside: Facility) -> None:
    study = publish(lakeside, *factories.ct_series(2, study=5), *factories.ct_series(2, study=5, series=2))
    assert Sidecar.objects.count() == Series.objects.count() == 2
    assert len(told(study)) == 4
