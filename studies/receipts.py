"""Receipts: what a facility's tools may ask about a study they published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NotRequired, TypedDict

from accounts.errors import NotFound
from accounts.models import Facility
from studies.models import Instance, Job, Quarantined, Study

STATES: Final = {
    Study.State.STORED: "receiving",
    Study.State.INDEXED: "processing",
    Study.State.READY: "ready",
}


class InstanceReceipt(TypedDict):
    """One instance that is safe with us: its present version, or one set aside."""

    sop_uid: str
    sha256: str
    state: str


class StudyReceipt(TypedDict):
    """`state`: receiving, processing, ready, quarantined or withdrawn. `problem`: given up, an operator must look."""

    state: str
    instances: list[InstanceReceipt]
    problem: NotRequired[str]


def receipt(facility: Facility, study_uid: str, *, is_withdrawn: bool = False) -> StudyReceipt:
    """Return what has become of a study this facility published; `NotFound` when it never did.

    Withdrawal is above this app's head: whoever knows of it says so.
    """
    study = Study.objects.filter(facility=facility, study_uid=study_uid).first()
    held = list(_held(facility, study_uid))
    if study is None and not held:
        raise NotFound
    if study is None:
        return {"state": "quarantined", "instances": held}
    said: StudyReceipt = {
        "state": "withdrawn" if is_withdrawn else STATES[Study.State(study.state)],
        "instances": [*_stored(study), *held],
    }
    if Job.objects.filter(study=study).exclude(dead_at=None).exists():
        said["problem"] = "Preparing the pictures failed. The originals are safe; tell the operator."
    return said


def _stored(study: Study) -> Iterator[InstanceReceipt]:
    current = Instance.objects.present().filter(study=study).order_by("sop_uid")
    for sop_uid, sha256, indexed_at in current.values_list("sop_uid", "sha256", "indexed_at"):
        # A study may be ahead of what has just come to it, never behind.
        state = STATES[Study.State(study.state)] if indexed_at else "receiving"
        yield {"sop_uid": sop_uid, "sha256": bytes(sha256).hex(), "state": state}


def _held(facility: Facility, study_uid: str) -> Iterator[InstanceReceipt]:
    held = Quarantined.objects.filter(facility=facility, study_uid=study_uid).order_by("sop_uid", "pk")
    for sop_uid, sha256 in held.values_list("sop_uid", "sha256"):
        yield {"sop_uid": sop_uid, "sha256": bytes(sha256).hex(), "state": "quarantined"}
