"""The judge of `make torture` sees what it is there to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Facility
from studies import intake, pipeline
from studies.models import Instance, Rendition, SealedObject, Study
from studies.store import objects, tidying
from tests.factories import ct_file, ct_series, uid
from torture import audit

pytestmark = pytest.mark.django_db

Acknowledged = list[tuple[str, str, str]]


@pytest.fixture
def acknowledged(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Acknowledged:
    """What a site was sent, and made pictures of."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    for name in ("HALF_WRITTEN", "WITHOUT_ROW"):
        monkeypatch.setattr(tidying, name, getattr(tidying, name))  # the audit changes them, for a process of its own
    monkeypatch.setattr(audit, "READY_WITHIN", 0.0)
    publish(*ct_series(2))
    pipeline.advance(Study.objects.get().pk, at_once=True)
    rows = Instance.objects.values_list("sop_uid", "sha256", "study__study_uid")
    return [(sop_uid, bytes(sha256).hex(), study_uid) for sop_uid, sha256, study_uid in rows]


def publish(*files: bytes) -> None:
    facility, _ = Facility.objects.get_or_create(name="Lakeside", slug="lakeside")
    intake.publish(facility, [[file] for file in files])


def broken(acknowledged: Acknowledged) -> list[str]:
    found: dict[str, Any] = audit.main(acknowledged)
    return [violation.partition(":")[0] for violation in found["violations"]]


def test_a_whole_site_breaks_no_promise(acknowledged: Acknowledged) -> None:
    found = audit.main(acknowledged)
    assert (found["violations"], found["acknowledged"], found["studies"]) == ([], 2, 1)


def test_what_was_acknowledged_and_is_not_there_is_lost(acknowledged: Acknowledged) -> None:
    elsewhere = (*acknowledged[0][:2], uid(2))
    assert broken([*acknowledged, ("1.2.3", acknowledged[0][1], uid(1)), elsewhere]) == ["lost", "lost"]


def test_other_bytes_are_wrong(acknowledged: Acknowledged) -> None:
    pack = SealedObject.objects.get(kind="pack")
    (file,) = objects.store().root.rglob(f"{pack.pk.hex}.lbx")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "wrong bytes" in broken(acknowledged)


def test_an_instance_taken_for_anothers_is_seen(acknowledged: Acknowledged) -> None:
    publish(ct_file(3, PatientID="P2"))
    assert broken(acknowledged) == ["double"]


def test_a_study_that_never_became_ready_is_seen(acknowledged: Acknowledged) -> None:
    publish(ct_file(1, study=2))
    assert broken(acknowledged) == ["not ready", "pictures"]


def test_missing_pictures_are_seen(acknowledged: Acknowledged) -> None:
    Rendition.objects.filter(size="preview").delete()
    assert broken(acknowledged) == ["pictures"]


def test_what_the_sweep_leaves_is_seen(acknowledged: Acknowledged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "tidy", lambda: 0)
    lost = objects.SealedWriter(Facility.objects.get().pk, SealedObject.Kind.PACK)
    lost.write(b"nobody's")
    lost.commit_bytes()
    half = objects.SealedWriter(Facility.objects.get().pk, SealedObject.Kind.PACK)
    half.write(bytes(2**20))
    assert broken(acknowledged) == ["orphan", "orphan"]
