"""What was set aside at the door, and what a facility's staff decide of it: take it in after all, or leave it out.

Files wait together that say the same of themselves: one study, one patient, one reason. Whoever settles them settles
all that she was shown, at once and for good; what comes later waits anew. The bytes stay as they were sent: our rows
say whose they are, and their key is wrapped for that patient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Max, Min, QuerySet, Sum, TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict, NotFound
from accounts.models import Facility
from studies import jobs, pipeline, rejections, sandbox
from studies.models import FacilityPatient, Instance, Quarantined, SealedObject, Study
from studies.receiving.arrivals import Arrival, Named
from studies.receiving.known import lock
from studies.receiving.ledger import Ledger
from studies.refusals import Refusal
from studies.sandbox import SandboxDied
from studies.store import keys, objects
from studies.store.damage import Damaged
from studies.store.keys import Erased
from studies.values import dicom_date

WAY: Final = "desk"
MOST_SHOWN: Final = 200
MOST_HEADER: Final = 2**20
SAID: Final = ("study_uid", "reason", "patient_id", "issuer", "patient_name", "birth_date", "sex")
"""What files must have in common to wait together: whose they say they are, and why they wait."""

Outcome = Quarantined.Outcome


class Why(TextChoices):
    """Why somebody leaves files out; in the record, so without a place for names."""

    WRONG_PATIENT = "wrong_patient", _("They show somebody else, and will be sent anew")
    CORRECTED = "corrected", _("They will be sent anew, corrected")
    TEST = "test", _("A test, or a phantom")
    NOT_OURS = "not_ours", _("They are not of our patients")
    NOT_NEEDED = "not_needed", _("Nobody needs them here")


class Settled(Conflict):
    """Somebody was quicker, and decided otherwise."""

    code = "settled"
    hint = _("Go back to what waits: this is no longer among it.")

    def __init__(self, outcome: str) -> None:
        taken_in = outcome == Outcome.TAKEN_IN
        super().__init__(
            _("These images have been taken in already.") if taken_in else _("These images have been left out already.")
        )


class OtherPatient(Conflict):
    """A study has one patient, and this one is known already."""

    code = "other_patient"
    message = _("This exam belongs to another patient here.")
    hint = _("Take the images in for the patient of the exam, or leave them out and have them sent as another exam.")


@dataclass(frozen=True)
class Waiting:
    """Files that wait together. `key` is the first of them, `upto` the last that was there when asked."""

    key: int
    upto: int
    study_uid: str
    reason: Quarantined.Reason
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: date | None
    sex: str
    count: int
    size: int  # bytes
    sent_at: datetime  # the last of them
    study: Study | None = field(default=None)  # that is known under this UID


def count(facility: Facility) -> int:
    """How many groups of files wait for somebody to decide."""
    return _groups(_waiting(facility)).count()


def waiting(facility: Facility) -> list[Waiting]:
    """What waits for somebody to decide, the newest first; at most MOST_SHOWN."""
    found = list(_groups(_waiting(facility))[:MOST_SHOWN])
    known = facility.studies.filter(study_uid__in={one["study_uid"] for one in found})
    studies = {study.study_uid: study for study in known.select_related("patient__facility", "facility")}
    return [_view(one, studies.get(one["study_uid"])) for one in found]


def group(facility: Facility, key: int) -> Waiting:
    """Those that wait together with this file. NotFound for what this facility never sent, Settled for what is done."""
    first = _of(facility, key)
    found = _groups(_like(first).filter(settled_at=None)).first()
    if found is None:
        raise Settled(first.outcome)
    study = facility.studies.filter(study_uid=first.study_uid).select_related("patient__facility", "facility").first()
    return _view(found, study)


def sample(facility: Facility, key: int) -> Quarantined:
    """The newest file of a group, to be read. NotFound as `group`."""
    newest = _like(_of(facility, key)).filter(settled_at=None).select_related("pack__patient").order_by("-pk").first()
    if newest is None:
        raise NotFound
    return newest


def likely_patient(waiting: Waiting, facility: Facility) -> FacilityPatient | None:
    """The patient of the study where that is known, else whom the files name by ID and issuer, when she is known."""
    if waiting.study is not None:
        return waiting.study.patient
    if not waiting.patient_id:
        return None
    issuer = waiting.issuer or facility.issuer
    return facility.patients.filter(patient_id=waiting.patient_id, issuer=issuer).first()


def check(waiting: Waiting, patient: FacilityPatient) -> None:
    """Whether these files may become this patient's. Raises OtherPatient."""
    if waiting.study is not None and waiting.study.patient_id != patient.pk:
        raise OtherPatient


def replaced(facility: Facility, key: int, upto: int) -> dict[Study, int]:
    """The studies that would lose instances to this group, and how many: an instance is in one place only."""
    first = _of(facility, key)
    uids = _like(first).filter(settled_at=None, pk__lte=upto).values("sop_uid")
    present = Instance.objects.present().filter(facility=facility, sop_uid__in=uids)
    lost = present.exclude(study__study_uid=first.study_uid).values_list("study").annotate(lost=Count("pk"))
    counts: dict[UUID, int] = dict(lost)
    return {study: counts[study.pk] for study in facility.studies.filter(pk__in=counts).select_related("patient")}


def take_in(facility: Facility, key: int, upto: int, patient: FacilityPatient, *, actor: Actor) -> int:
    """Make a group part of its study, of this patient; returns how many files were taken in.

    Where the study is known it must be the patient's (OtherPatient). Files known elsewhere leave that place. The same
    again changes nothing; Settled when somebody decided otherwise meanwhile. NotFound for another facility's.
    """
    if patient.facility_id != facility.pk:
        raise NotFound
    with transaction.atomic():
        held = _lock(facility, key, upto)
        if not held:
            return _again(facility, key, upto, Outcome.TAKEN_IN, patient)
        _Settlement(facility, held, patient, actor).settle()
        _mark(held, Outcome.TAKEN_IN)
    return len(held)


def leave_out(facility: Facility, key: int, upto: int, why: Why, *, actor: Actor) -> int:
    """Leave a group out for good; returns how many files it was. They stay sealed.

    The same again changes nothing; Settled and NotFound as `take_in`.
    """
    with transaction.atomic():
        held = _lock(facility, key, upto)
        if not held:
            return _again(facility, key, upto, Outcome.LEFT_OUT)
        _mark(held, Outcome.LEFT_OUT)
        study = facility.studies.filter(study_uid=held[0].study_uid).first()
        audit.record(
            Action.LEFT_OUT,
            actor=actor,
            facility_id=facility.pk,
            study_id=study.pk if study else None,
            way=WAY,
            instances=len(held),
            held=key,
            reason=why.value,
        )
    return len(held)


@dataclass(frozen=True)
class Said:
    """What a file that waits says of itself, in its own character set."""

    patient_name: str
    birth_date: date | None
    description: str
    study_date: date | None
    modality: str


def read(held: Quarantined) -> Said | None:
    """Read a file's header in the sandbox; None when nobody can, for staff may settle all the same what is damaged."""
    length = min(held.pixel_offset or held.length, MOST_HEADER)
    try:
        header = b"".join(objects.read(held.pack, held.offset, length))
        said = _facts(sandbox.run("facts", {}, [header]).values)
    except (Damaged, Erased, Refusal, SandboxDied):
        return None
    if "refused" in said:
        return None
    return Said(
        patient_name=_text(said, "patient_name") or _text(said, "patient_name_ideographic"),
        birth_date=dicom_date(_text(said, "birth_date")),
        description=_text(said, "study_description"),
        study_date=dicom_date(_text(said, "study_date")),
        modality=_text(said, "modality"),
    )


class _Settlement(Ledger):
    """The ledger with a clerk's word in it: whose the files are is said by her, not by them."""

    def __init__(self, facility: Facility, held: Sequence[Quarantined], patient: FacilityPatient, actor: Actor) -> None:
        self._held = held
        self._arrivals = [_arrival(one) for one in held]
        self._patient = patient
        self._leaving: dict[UUID, list[int]] = defaultdict(list)
        super().__init__(facility, self._arrivals, durable=())
        self._actor = actor

    def settle(self) -> None:
        """Write every row; on commit, ring for the studies that changed."""
        study = self._studies.get(self._held[0].study_uid)
        if study is not None and study.patient_id != self._patient.pk:
            raise OtherPatient
        for held, arrival in zip(self._held, self._arrivals, strict=True):
            self._packs[held.pack_id] = arrival.pack
            self.publication = held.publication  # the delivery it came with
            self._add(arrival)
        self._write()
        for study_id, pks in self._leaving.items():
            self._move_out(study_id, pks)

    def _study_uids(self, arrivals: Sequence[Arrival]) -> set[str]:
        moving = Instance.objects.filter(facility=self._facility, superseded_at=None)
        places = moving.filter(sop_uid__in=[one.sop_uid for one in self._held]).values_list(
            "study__study_uid", flat=True
        )
        return {*super()._study_uids(arrivals), *places}

    def _study(self, named: Named) -> Study:
        study = self._studies.get(named.study_uid)
        if study is None:
            study = Study(facility=self._facility, patient=self._patient, study_uid=named.study_uid, version=1)
            self._studies[named.study_uid] = study
            self._new_studies.append(study)
        return study

    def _supersede(self, before: Instance) -> None:
        super()._supersede(before)
        if before.pk and before.study.study_uid != self._held[0].study_uid:
            self._leaving[before.study_id].append(before.pk)

    def _move_out(self, study_id: UUID, pks: list[int]) -> None:
        """Prepare anew what lost instances: no picture of them is found there any more, and running looks end."""
        study = next(one for one in self._studies.values() if one.pk == study_id)
        gone = [one.sop_uid for one in self._held]
        # Every version, and with it each report that was read from one.
        Instance.objects.filter(study=study, sop_uid__in=gone, rejected_at=None).update(rejected_at=self._now)
        rejections.take_out(study, pks)
        Study.objects.filter(pk=study_id).update(
            version=F("version") + 1,
            access_epoch=F("access_epoch") + 1,
            state=Study.State.STORED,
            changed_at=self._now,
        )
        if (after := jobs.want(study)) is not None:
            pipeline.ring(study_id, after=after)
        self._audit(Action.MOVED_OUT, study, instances=len(pks))

    def _audit(self, action: Action, study: Study | None, *, instances: int, reason: str | None = None) -> None:
        audit.record(
            Action.TAKEN_IN if action == Action.PUBLISHED else action,
            actor=self._actor,
            facility_id=self._facility.pk,
            study_id=study.pk if study else None,
            way=WAY,
            instances=instances,
            held=self._held[0].pk,
        )


class _Kept:
    """A pack that lies in the store already: its bytes stay, its key is wrapped for whoever it turns out to be of."""

    def __init__(self, sealed_id: UUID) -> None:
        self.id = sealed_id

    def row(self, patient: FacilityPatient | None, *, is_held: bool = False) -> SealedObject:
        """Give the pack to a patient. OtherPatient when it is another's: one key opens all of it."""
        sealed = SealedObject.objects.select_for_update(of=("self",)).select_related("patient").get(pk=self.id)
        if sealed.patient_id is None and patient is not None:
            sealed.wrapped_key = keys.wrap_for(patient, keys.object_key(sealed))
            sealed.patient = patient
            sealed.save(update_fields=["wrapped_key", "patient"])
        elif patient is None or sealed.patient_id != patient.pk:
            raise OtherPatient
        return sealed


def _waiting(facility: Facility) -> QuerySet[Quarantined]:
    return Quarantined.objects.filter(facility=facility, settled_at=None)


def _groups(held: QuerySet[Quarantined]) -> QuerySet[Any, dict[str, Any]]:
    together = held.order_by().values(*SAID)
    counted: QuerySet[Any, dict[str, Any]] = together.annotate(
        key=Min("pk"), upto=Max("pk"), count=Count("pk"), bytes=Sum("length"), sent_at=Max("received_at")
    )
    return counted.order_by("-sent_at", "-upto")


def _view(found: dict[str, Any], study: Study | None) -> Waiting:
    said = {name: value for name, value in found.items() if name not in ("reason", "bytes")}
    return Waiting(**said, reason=Quarantined.Reason(found["reason"]), size=found["bytes"], study=study)


def _of(facility: Facility, key: int) -> Quarantined:
    held = Quarantined.objects.filter(facility=facility, pk=key).first()
    if held is None:
        raise NotFound
    return held


def _like(first: Quarantined) -> QuerySet[Quarantined]:
    """All that say the same as this one, settled or not."""
    said = {name: getattr(first, name) for name in SAID}
    return Quarantined.objects.filter(facility=first.facility_id, **said)


def _lock(facility: Facility, key: int, upto: int) -> list[Quarantined]:
    """Those of a group that wait, under the lock that every publication and every decision of the facility takes."""
    lock(facility)
    group = _like(_of(facility, key)).filter(settled_at=None, pk__lte=upto)
    return list(group.select_related("publication").order_by("pk"))


def _again(facility: Facility, key: int, upto: int, outcome: str, patient: FacilityPatient | None = None) -> int:
    """The same decision a second time: what it was then. Settled when it was another."""
    first = _of(facility, key)
    owner = facility.studies.filter(study_uid=first.study_uid).values_list("patient_id", flat=True).first()
    if first.outcome != outcome or (patient and owner != patient.pk):
        raise Settled(first.outcome)
    return _like(first).filter(outcome=outcome, pk__lte=upto).count()


def _mark(held: Sequence[Quarantined], outcome: str) -> None:
    pks = [one.pk for one in held]
    Quarantined.objects.filter(pk__in=pks).update(outcome=outcome, settled_at=timezone.now())


def _arrival(held: Quarantined) -> Arrival:
    return Arrival(
        named=Named(
            sop_class_uid=held.sop_class_uid,
            sop_uid=held.sop_uid,
            study_uid=held.study_uid,
            series_uid=held.series_uid,
        ),
        pack=_Kept(held.pack_id),
        offset=held.offset,
        length=held.length,
        sha256=bytes(held.sha256),
        crc32=held.crc32,
        transfer_syntax_uid=held.transfer_syntax_uid,
        pixel_offset=held.pixel_offset,
        frames=bytes(held.frames) if held.frames is not None else None,
    )


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    match answer.get("facts"):
        case [dict(said)]:
            return said
    return {}


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return value[:400] if isinstance(value, str) else ""
