"""Enter what was set aside into the ledger, on a clerk's word: whose the files are is said by her, not by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility
from studies import jobs, pipeline, rejections
from studies.models import FacilityPatient, Instance, Publication, Quarantined, SealedObject, Study
from studies.receiving.arrivals import Arrival, Named
from studies.receiving.ledger import Ledger
from studies.store import keys

WAY: Final = "desk"


class OtherPatient(Conflict):
    """A study has one patient, and this one is known already."""

    code = "other_patient"
    message = _("This exam belongs to another patient here.")
    hint = _("Take the images in for the patient of the exam, or leave them out and have them sent as another exam.")


class Settlement:
    """One group of a facility's files on its way to a patient, within the caller's transaction."""

    def __init__(self, facility: Facility, held: Sequence[Quarantined], patient: FacilityPatient, actor: Actor) -> None:
        self._facility = facility
        self._held = held
        self._clerk = _Clerk(facility, patient, actor, held[0].pk)
        self._patient = patient

    def settle(self) -> None:
        """Write every row; on commit, ring for the studies that changed. Raises OtherPatient."""
        known = self._facility.studies.filter(study_uid=self._held[0].study_uid).exclude(patient=self._patient)
        if known.exists():
            raise OtherPatient
        arrivals = [_arrival(held) for held in self._held]
        ledger = Ledger(self._facility, arrivals, authority=self._clerk, also=self._places())
        for held, arrival in zip(self._held, arrivals, strict=True):
            ledger.take(arrival, held.publication)
        ledger.write()
        for study, pks in ledger.moved.items():
            self._move_out(study, pks, ledger.now)

    def _places(self) -> set[str]:
        """The studies in which these instances are now."""
        present = Instance.objects.filter(facility=self._facility, superseded_at=None)
        return set(present.filter(sop_uid__in=self._sop_uids()).values_list("study__study_uid", flat=True))

    def _sop_uids(self) -> list[str]:
        return [one.sop_uid for one in self._held]

    def _move_out(self, study: Study, pks: list[int], now: datetime) -> None:
        """Prepare anew what lost instances: no picture of them is found there any more, and running looks end."""
        # Every version, and with it each report that was read from one.
        gone = Instance.objects.filter(study=study, sop_uid__in=self._sop_uids(), rejected_at=None)
        gone.update(rejected_at=now)
        rejections.take_out(study, pks)
        Study.objects.filter(pk=study.pk).update(
            version=F("version") + 1,
            access_epoch=F("access_epoch") + 1,
            state=Study.State.STORED,
            changed_at=now,
        )
        if (after := jobs.want(study)) is not None:
            pipeline.ring(study.pk, after=after)
        self._clerk.note(Action.MOVED_OUT, study, len(pks))


class _Clerk:
    """The authority of somebody at the desk, over one group of files."""

    def __init__(self, facility: Facility, patient: FacilityPatient, actor: Actor, group: int) -> None:
        self._facility = facility
        self._patient = patient
        self._actor = actor
        self._group = group

    def whose(self, named: Named) -> FacilityPatient:
        return self._patient

    def note_published(self, study: Study, publication: Publication, instances: int) -> None:
        self.note(Action.TAKEN_IN, study, instances)

    def note(self, action: Action, study: Study, instances: int) -> None:
        """Write a deed of hers down."""
        audit.record(
            action,
            actor=self._actor,
            facility_id=self._facility.pk,
            study_id=study.pk,
            way=WAY,
            instances=instances,
            held=self._group,
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
