"""Rejection notes: what a facility takes back by one (IHE RAD TF-2 §4.66, IOCM) is hidden, whenever it comes.

A note is a key object document whose title says why. It reaches instances of its own study and nothing else; what
it names stays stored and sealed, and is hidden also when it arrives after the note, or again, with whatever bytes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Words
from studies.models import Instance, Rejection, Rendition, SealedObject, Sidecar, Study
from studies.values import is_uid

logger = logging.getLogger("lightbox.rejections")

MOST: Final = 10_000
"""SOP Instance UIDs that one note may name."""


Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Rejected:
    """How many instances of a study are hidden for one reason, in words."""

    words: Words
    count: int


def cleaned(said: Facts) -> dict[str, Any]:
    """What the sandbox said of a rejection note under "rejects", checked and cut to size; nothing for other files."""
    match said.get("rejects"):
        case {"code": str(code), "uids": list(uids), "beyond": int(beyond), "elsewhere": int(elsewhere)} if (
            code in Rejection.Code.values
        ):
            named = [uid for uid in uids[:MOST] if isinstance(uid, str) and is_uid(uid)]
            return {"rejects": {"code": code, "uids": sorted(set(named)), "beyond": beyond, "elsewhere": elsewhere}}
    return {}


def heed(study: Study, read: Iterable[tuple[Instance, Facts]]) -> None:
    """Do what the notes among these instances say, in the caller's transaction, which holds the study's row.

    A note is no picture: it is hidden with what it names.
    """
    notes = [(instance, facts["rejects"]) for instance, facts in read if "rejects" in facts]
    for note, said in notes:
        _write_down(study, note, said["code"], said["uids"])
        _tell(study, said)
    if notes:
        _hide(study, [note.pk for note, _ in notes])


def counts(studies: Iterable[Study]) -> dict[UUID, list[Rejected]]:
    """How much of each study is hidden, by reason; studies of which nothing is are left out."""
    codes = {
        (study_id, sop_uid): code
        for study_id, sop_uid, code in Rejection.objects.filter(study__in=list(studies))
        .order_by("made_at", "pk")
        .values_list("study_id", "sop_uid", "code")
    }
    come = Instance.objects.filter(study__in={study_id for study_id, _ in codes}, superseded_at=None)
    found = Counter(
        (study_id, codes[study_id, sop_uid])
        for study_id, sop_uid in come.exclude(rejected_at=None).values_list("study_id", "sop_uid")
        if (study_id, sop_uid) in codes
    )
    told: dict[UUID, list[Rejected]] = {}
    for (study_id, code), count in sorted(found.items(), key=lambda one: one[0][1]):
        told.setdefault(study_id, []).append(Rejected(Rejection.Code(code).label, count))
    return told


def taken_back(studies: Iterable[Study]) -> set[UUID]:
    """Those of which everything is hidden, by notes or as staff moved it; no statement where each holds something."""
    empty = [study.pk for study in studies if not study.instance_count]
    if not empty:
        return set()
    hidden = Instance.objects.filter(study__in=empty).exclude(rejected_at=None)
    return set(hidden.values_list("study_id", flat=True).distinct())


def _write_down(study: Study, note: Instance, code: str, uids: Sequence[str]) -> None:
    named = (Rejection(study=study, note=note, sop_uid=uid, code=code) for uid in uids)
    Rejection.objects.bulk_create(named, ignore_conflicts=True)


def _tell(study: Study, said: Mapping[str, Any]) -> None:
    if said["uids"]:
        _record(Action.REJECTED, study, named=len(said["uids"]), code=said["code"])
    if said["beyond"]:
        logger.error("study %s: a note names %d instances beyond %d; they stay shown", study.pk, said["beyond"], MOST)
    if said["elsewhere"]:
        logger.warning("study %s: a note names %d instances of other studies; ignored", study.pk, said["elsewhere"])
        _record(Action.NOTE_IGNORED, study, named=said["elsewhere"], code=said["code"])


def _record(action: Action, study: Study, *, named: int, code: str) -> None:
    audit.record(
        action,
        actor=Actor.facility(study.facility),
        facility_id=study.facility_id,
        study_id=study.pk,
        way="dicomweb",
        named=named,
        code=code,
    )


def _hide(study: Study, notes: Collection[int]) -> None:
    # Older versions too: a report may have been read from one of them.
    named = Rejection.objects.filter(study=study).values("sop_uid")
    shown = study.instances.filter(sop_uid__in=named, rejected_at=None)
    pks = {*notes, *shown.values_list("pk", flat=True)}
    if study.instances.filter(pk__in=pks, rejected_at=None).update(rejected_at=timezone.now()):
        take_out(study, pks)
        Study.objects.filter(pk=study.pk).update(access_epoch=F("access_epoch") + 1)


def take_out(study: Study, pks: Collection[int]) -> None:
    """Let no picture of these instances be found any more; the next step makes the stacks anew without them."""
    left, stacks = 0, set()
    for rendition in Rendition.objects.filter(series__study=study):
        shown_by = {
            (state, number) for state, number, image, _ in rendition.made_with.get("images", []) if image in pks
        }
        pictures = [one for one in rendition.pictures if one[0] not in pks and (one[0], one[1]) not in shown_by]
        if not pictures:
            stacks.add(rendition.stack_id)
            rendition.delete()
        elif len(pictures) < len(rendition.pictures):
            rendition.pictures = pictures
            rendition.save(update_fields=["pictures"])
        left += len(pictures) if rendition.size == Rendition.Size.PREVIEW else 0
    sidecars = Sidecar.objects.filter(series__study=study)
    stacks |= set(sidecars.values_list("stack", flat=True))
    sidecars.delete()
    in_use = Rendition.objects.filter(series__study=study).values("stack")
    SealedObject.objects.filter(pk__in=stacks).exclude(pk__in=in_use).delete()
    Study.objects.filter(pk=study.pk).update(image_count=left)
