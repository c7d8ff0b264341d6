"""Receipts: what a facility's tools may ask about a study they published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NotRequired, TypedDict

from django.utils.translation import gettext_lazy as _

from accounts.errors import NotFound
from accounts.models import Facility
from studies import announcements
from studies.models import Instance, Job, Quarantined, Study

STATES: Final = {
    Study.State.STORED: "receiving",
    Study.State.INDEXED: "processing",
    Study.State.READY: "ready",
}


class NeverPublished(NotFound):
    """A study that this facility has neither sent nor announced."""

    message = _("This facility has published no study with this UID.")
    hint = _("Check the Study Instance UID. A study is known as soon as an instance of it is stored, or announced.")


class InstanceReceipt(TypedDict):
    """One instance that is safe with us: its present version, or one set aside.

    `state`: receiving, processing, ready; rejected (hidden by a rejection note); quarantined, or left_out for good;
    damaged in our store (send it again); erased at the facility's request.
    """

    sop_uid: str
    sha256: str
    state: str


class StudyReceipt(TypedDict):
    """`state`: receiving, processing, ready, quarantined or withdrawn. `problem`: given up, an operator must look.

    `expected` instances, when the facility said how many; `complete` once so many are stored, rejected ones counted.
    """

    state: str
    expected: int | None
    complete: bool | None
    instances: list[InstanceReceipt]
    problem: NotRequired[str]


def receipt(facility: Facility, study_uid: str, *, is_withdrawn: bool = False) -> StudyReceipt:
    """Return what has become of a study this facility published; `NotFound` when it neither did nor announced it.

    Withdrawal is above this app's head: whoever knows of it says so.
    """
    study = Study.objects.filter(facility=facility, study_uid=study_uid).first()
    held = list(_held(facility, study_uid))
    if study is None:
        return _not_come(announcements.expected_of(facility, study_uid), held)
    stored = list(_stored(study))
    said: StudyReceipt = {
        "state": "withdrawn" if is_withdrawn else STATES[Study.State(study.state)],
        "expected": study.expected_count,
        "complete": None if study.expected_count is None else len(stored) >= study.expected_count,
        "instances": [*stored, *held],
    }
    if Job.objects.filter(study=study).exclude(dead_at=None).exists():
        said["problem"] = "Preparing the pictures failed. The originals are safe; tell the operator."
    return said


def _not_come(expected: int | None, held: list[InstanceReceipt]) -> StudyReceipt:
    if expected is None and not held:
        raise NeverPublished
    return {
        "state": "quarantined" if held else "receiving",
        "expected": expected,
        "complete": None if expected is None else False,
        "instances": held,
    }


def _stored(study: Study) -> Iterator[InstanceReceipt]:
    current = Instance.objects.filter(study=study, superseded_at=None).select_related("pack").order_by("sop_uid")
    facts = ("sop_uid", "sha256", "indexed_at", "rejected_at", "pack__damaged_at", "pack__wrapped_key")
    for instance in current.only(*facts):
        yield {
            "sop_uid": instance.sop_uid,
            "sha256": bytes(instance.sha256).hex(),
            "state": _state(study, instance),
        }


def _state(study: Study, instance: Instance) -> str:
    if not instance.pack.wrapped_key:
        return "erased"
    if instance.pack.damaged_at:
        return "damaged"
    if instance.rejected_at:
        return "rejected"
    # A study may be ahead of what has just come to it, never behind.
    return STATES[Study.State(study.state)] if instance.indexed_at else "receiving"


def _held(facility: Facility, study_uid: str) -> Iterator[InstanceReceipt]:
    """What is or was set aside. What was taken in since is an instance, and listed there."""
    held = Quarantined.objects.filter(facility=facility, study_uid=study_uid).order_by("sop_uid", "pk")
    settled = held.exclude(outcome=Quarantined.Outcome.TAKEN_IN)
    for sop_uid, sha256, outcome in settled.values_list("sop_uid", "sha256", "outcome"):
        yield {"sop_uid": sop_uid, "sha256": bytes(sha256).hex(), "state": outcome or "quarantined"}
