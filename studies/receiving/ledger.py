"""What a facility has given before, what becomes of what it gives now, and the rows that say so.

Everything here runs in one transaction under the facility's lock: two requests of one facility are judged one
after the other, so each sees what the other has stored. Two facilities never wait for, or see, each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from django.db.models import ProtectedError
from django.utils import timezone

from accounts.errors import Unavailable
from accounts.models import Facility
from accounts.rows import change, insert
from studies import announcements, jobs, patients, pipeline
from studies.models import FacilityPatient, Instance, Publication, Quarantined, SealedObject, Series, Study
from studies.receiving import known
from studies.receiving.arrivals import Arrival, Named, Pack
from studies.receiving.authority import Authority, TheFiles
from studies.receiving.known import Mark
from studies.store import keys
from studies.values import dicom_date

Reason = Quarantined.Reason

PLACE: Final = ("pack", "offset", "length", "pixel_offset", "frames")
"""Where the bytes of an instance lie, and what in them."""
_CHANGED = "UPDATE studies_study SET version = version + 1, state = %s, changed_at = %s WHERE id IN %s"


def mark(arrival: Arrival) -> Mark:
    """The mark of an arrival."""
    return arrival.named.sop_uid, arrival.sha256


class Ledger:
    """The judgement of one batch. `enter` each arrival in order, then `save`; all within one transaction."""

    def __init__(
        self,
        facility: Facility,
        arrivals: Sequence[Arrival],
        durable: Collection[UUID] = (),
        *,
        authority: Authority | None = None,
        also: Collection[str] = (),
    ) -> None:
        """Lock the facility and look up what is known. `durable` are the packs whose bytes are kept.

        `authority` says whose new studies are, if not the files; `also` are studies that may change besides theirs.
        """
        known.lock(facility)
        self._facility = facility
        self._files = TheFiles(facility)
        self._authority: Authority = authority or self._files
        self._durable = durable
        self.now = timezone.now()
        study_uids = {*also, *(one.named.study_uid for one in arrivals)}
        studies = known.studies(facility, study_uids, {one.named.series_uid for one in arrivals})
        self._studies, self._series, self._jobs = studies.by_uid, studies.series, studies.jobs
        given = known.given(facility, {one.named.sop_uid for one in arrivals}, self._studies.values())
        self._marks, self._stored, self._rejected = given.marks, given.stored, given.rejected
        self._current = self._in_their_studies(given.current)
        self.publication = Publication(facility=facility, received_at=self.now)
        self._new_studies: list[Study] = []
        self._new_series: list[Series] = []
        self._new: list[Instance] = []
        self._mended: list[Instance] = []
        self._replaced: set[UUID] = set()
        self._superseded: list[int] = []
        self._quarantined: list[Quarantined] = []
        self._packs: dict[UUID, Pack] = {}
        self._owners: dict[UUID, FacilityPatient] = {}
        self.moved: dict[Study, list[int]] = defaultdict(list)
        """The instances that left a study for another, by the study they left."""

    def enter(self, arrival: Arrival) -> tuple[bool, Reason | None]:
        """Judge one arrival: whether it is new, and the reason when it is quarantined, now or before."""
        if (its := mark(arrival)) in self._marks:
            self.publication.repeated += 1
            return False, self._marks[its]
        if arrival.pack.id not in self._durable:
            # It was known a moment ago, its bytes were let go, and now it is gone: erased in between.
            raise Unavailable
        reason = self._contradiction(arrival.named)
        self._marks[its] = reason
        self._packs[arrival.pack.id] = arrival.pack
        if reason:
            self._set_aside(arrival, reason)
        else:
            self._add(arrival)
        return True, reason

    def take(self, arrival: Arrival, publication: Publication) -> None:
        """Enter an arrival on the authority's word alone, with the delivery that it came by."""
        self.publication = publication
        self._packs[arrival.pack.id] = arrival.pack
        self._add(arrival)

    @property
    def packs(self) -> set[UUID]:
        """The packs in which something new lies."""
        return set(self._packs)

    def save(self, refused: int) -> None:
        """Write every row of this batch, the publication's too; on commit, ring for the studies that changed."""
        self._count(refused)
        insert([self.publication])
        self.write()

    def write(self) -> None:
        """Write what was entered; on commit, ring for the studies that changed."""
        changed = self._changed_studies()
        announcements.take_up(self._facility, self._new_studies)
        insert(self._new_studies)
        insert(self._new_series)
        self._write_packs()
        for pks in known.some_at_a_time(self._superseded):
            Instance.objects.filter(pk__in=pks).update(superseded_at=self.now)
        insert(self._new)
        if self._mended:
            self._write_mended()
        if self._quarantined:
            self._write_quarantined()
        self._announce(changed)

    def _write_packs(self) -> None:
        # A patient may have been read with each of her studies, but has one key.
        owners = {owner.pk: owner for owner in self._owners.values()}
        keys.hold(owners.values())
        for owner in owners.values():
            keys.renew_if_erased(owner)
        for pack in self._packs.values():
            hers = self._owners.get(pack.id)
            pack.row(hers and owners[hers.pk], is_held=True)

    def _write_mended(self) -> None:
        Instance.objects.bulk_update(self._mended, [*PLACE, "indexed_at", "rejected_at"])
        self._drop_replaced()

    def _write_quarantined(self) -> None:
        Quarantined.objects.bulk_create(
            self._quarantined,
            update_conflicts=True,  # the same bytes again: those before were damaged
            unique_fields=["facility", "sop_uid", "sha256"],
            update_fields=[*PLACE, "publication", "outcome", "settled_at"],
        )

    # What is known

    def _in_their_studies(self, current: dict[str, Instance]) -> dict[str, Instance]:
        """The same instances with their studies, which need not be those that the arrivals name."""
        studies = {study.pk: study for study in self._studies.values()}
        if others := {one.study_id for one in current.values()} - studies.keys():
            studies |= Study.objects.select_related("patient").in_bulk(list(others))
        for one in current.values():
            one.study = studies[one.study_id]
        return current

    # What becomes of it

    def _contradiction(self, named: Named) -> Reason | None:
        if not named.patient_id:
            return Reason.NO_PATIENT_ID
        study, before = self._studies.get(named.study_uid), self._current.get(named.sop_uid)
        patients_known = [one.patient for one in (study, before and before.study) if one]
        if not all(patients.is_same(one, named.patient_id, named.issuer) for one in patients_known):
            return Reason.OTHER_PATIENT
        if before and before.study.study_uid != named.study_uid:
            return Reason.OTHER_STUDY
        return None

    def _add(self, arrival: Arrival) -> None:
        before = self._current.get(arrival.named.sop_uid)
        if mark(arrival) in self._stored:
            self._mend(self._with_same_bytes(arrival), arrival)
            return
        study = self._study(arrival.named)
        instance = Instance(
            study=study,
            series=self._series_of(study, arrival.named),
            facility=self._facility,
            publication=self.publication,
            sop_uid=arrival.named.sop_uid,
            sop_class_uid=arrival.named.sop_class_uid,
            version=before.version + 1 if before else 1,
            pack_id=arrival.pack.id,
            offset=arrival.offset,
            length=arrival.length,
            sha256=arrival.sha256,
            crc32=arrival.crc32,
            transfer_syntax_uid=arrival.transfer_syntax_uid,
            pixel_offset=arrival.pixel_offset,
            frames=arrival.frames,
            rejected_at=self.now if (study.pk, arrival.named.sop_uid) in self._rejected else None,
        )
        if before:
            self._supersede(before, study)
        self._current[instance.sop_uid] = instance
        self._owners[arrival.pack.id] = study.patient
        self._new.append(instance)

    def _with_same_bytes(self, arrival: Arrival) -> Instance:
        """The version of an instance that had these very bytes: they were damaged, or erased."""
        uid, sha256 = mark(arrival)
        same = Instance.objects.select_related("study__patient").defer("facts")
        return same.filter(facility=self._facility, sop_uid=uid, sha256=sha256).order_by("pk")[0]

    def _mend(self, lost: Instance, arrival: Arrival) -> None:
        """Put the bytes back under the row that they had."""
        self._replaced.add(lost.pack_id)
        lost.pack_id, lost.offset, lost.length = arrival.pack.id, arrival.offset, arrival.length
        lost.pixel_offset, lost.frames = arrival.pixel_offset, arrival.frames
        lost.indexed_at = None
        hidden = (lost.study_id, lost.sop_uid) in self._rejected
        lost.rejected_at = (lost.rejected_at or self.now) if hidden else None  # what was erased is hidden too
        self._owners[arrival.pack.id] = lost.study.patient
        self._mended.append(lost)

    def _drop_replaced(self) -> None:
        """Forget the damaged objects of which nothing is left to mend; the sweep takes their bytes."""
        for pack in SealedObject.objects.filter(pk__in=self._replaced):
            with suppress(ProtectedError):
                pack.delete()

    def _supersede(self, before: Instance, study: Study) -> None:
        if not before.pk:
            before.superseded_at = self.now  # came in this very request
            return
        self._superseded.append(before.pk)
        if before.study_id != study.pk:
            self.moved[before.study].append(before.pk)

    def _study(self, named: Named) -> Study:
        study = self._studies.get(named.study_uid)
        if study is None:
            patient = self._authority.whose(named)
            study = Study(facility=self._facility, patient=patient, study_uid=named.study_uid, version=1)
            self._studies[named.study_uid] = study
            self._new_studies.append(study)
        return study

    def _series_of(self, study: Study, named: Named) -> Series:
        key = study.pk, named.series_uid
        if key not in self._series:
            self._series[key] = Series(study=study, series_uid=named.series_uid)
            self._new_series.append(self._series[key])
        return self._series[key]

    def _set_aside(self, arrival: Arrival, reason: Reason) -> None:
        named = arrival.named
        held = Quarantined(
            publication=self.publication,
            facility=self._facility,
            study_uid=named.study_uid,
            series_uid=named.series_uid,
            sop_uid=named.sop_uid,
            sop_class_uid=named.sop_class_uid,
            reason=reason,
            patient_id=named.patient_id,
            issuer=named.issuer,
            patient_name=named.patient_name[:400],
            birth_date=dicom_date(named.birth_date),
            sex=named.sex[:16],
            pack_id=arrival.pack.id,
            offset=arrival.offset,
            length=arrival.length,
            sha256=arrival.sha256,
            crc32=arrival.crc32,
            transfer_syntax_uid=arrival.transfer_syntax_uid,
            pixel_offset=arrival.pixel_offset,
            frames=arrival.frames,
        )
        self._quarantined.append(held)

    # What follows

    def _changed_studies(self) -> list[Study]:
        return list({instance.study_id: instance.study for instance in [*self._new, *self._mended]}.values())

    def _count(self, refused: int) -> None:
        receipt, taken = self.publication, [*self._new, *self._mended]
        receipt.stored, receipt.quarantined, receipt.refused = len(taken), len(self._quarantined), refused
        receipt.size = sum(row.length for row in taken) + sum(row.length for row in self._quarantined)

    def _announce(self, changed: list[Study]) -> None:
        if old := [study.pk for study in changed if study not in self._new_studies]:
            change(_CHANGED, Study.State.STORED.value, self.now, old)
        instances = Counter(instance.study_id for instance in [*self._new, *self._mended])
        for study in changed:
            if (after := jobs.want(study, self._jobs.get(study.pk))) is not None:
                pipeline.ring(study.pk, after=after)
            self._authority.note_published(study, self.publication, instances[study.pk])
        held = Counter((row.study_uid, str(row.reason)) for row in self._quarantined)
        for (study_uid, reason), number in held.items():
            self._files.note_quarantined(self._studies.get(study_uid), self.publication, number, reason)
