"""What a facility has given before, what becomes of what it gives now, and the rows that say so.

Everything here runs in one transaction under the facility's lock: two requests of one facility are judged one
after the other, so each sees what the other has stored. Two facilities never wait for, or see, each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Unavailable
from accounts.models import Facility
from studies import announcements, jobs, patients, pipeline, rejections
from studies.arrivals import Arrival, Named, Pack
from studies.models import FacilityPatient, Instance, Publication, Quarantined, Series, Study
from studies.patients import Source
from studies.values import dicom_date

Mark = tuple[str, bytes]
"""SOP Instance UID and SHA-256: the same mark is the same instance, bit for bit."""
Reason = Quarantined.Reason
T = TypeVar("T")

_MOST_PARAMETERS = 500


def mark(arrival: Arrival) -> Mark:
    """The mark of an arrival."""
    return arrival.named.sop_uid, arrival.sha256


def known_marks(facility: Facility, arrivals: Iterable[Arrival]) -> dict[Mark, Reason | None]:
    """Which of these instances the facility has given before, in any version; with the reason if quarantined."""
    marks: dict[Mark, Reason | None] = {}
    for uids in _some_at_a_time({arrival.named.sop_uid for arrival in arrivals}):
        held = Quarantined.objects.filter(facility=facility, sop_uid__in=uids)
        for uid, sha256, reason in held.values_list("sop_uid", "sha256", "reason"):
            marks[uid, bytes(sha256)] = Reason(reason)
        stored = Instance.objects.filter(facility=facility, sop_uid__in=uids)
        for uid, sha256 in stored.values_list("sop_uid", "sha256"):
            marks[uid, bytes(sha256)] = None
    return marks


class Ledger:
    """The judgement of one batch. `enter` each arrival in order, then `save`; all within one transaction."""

    def __init__(self, facility: Facility, arrivals: Sequence[Arrival], durable: Collection[UUID]) -> None:
        """Lock the facility and look up what is known. `durable` are the packs whose bytes are on disk."""
        Facility.objects.select_for_update(no_key=True).only("pk").get(pk=facility.pk)
        self._facility = facility
        self._actor = Actor.facility(facility)
        self._durable = durable
        self._now = timezone.now()
        self._marks = known_marks(facility, arrivals)
        self._studies = self._known_studies({arrival.named.study_uid for arrival in arrivals})
        self._series = self._known_series()
        self._current = self._known_instances({arrival.named.sop_uid for arrival in arrivals})
        self._rejected = rejections.named_in(self._studies.values())
        self.publication = Publication(facility=facility, received_at=self._now)
        self._new_studies: list[Study] = []
        self._new_series: list[Series] = []
        self._new: list[Instance] = []
        self._superseded: list[int] = []
        self._quarantined: list[Quarantined] = []
        self._packs: dict[UUID, Pack] = {}
        self._owners: dict[UUID, FacilityPatient] = {}

    def enter(self, arrival: Arrival) -> tuple[bool, Reason | None]:
        """Judge one arrival: whether it is new, and the reason when it is quarantined, now or before."""
        if (known := mark(arrival)) in self._marks:
            self.publication.repeated += 1
            return False, self._marks[known]
        if arrival.pack.id not in self._durable:
            # It was known a moment ago, its bytes were let go, and now it is gone: erased in between.
            raise Unavailable
        reason = self._contradiction(arrival.named)
        self._marks[known] = reason
        self._packs[arrival.pack.id] = arrival.pack
        if reason:
            self._set_aside(arrival, reason)
        else:
            self._add(arrival)
        return True, reason

    def save(self, refused: int) -> None:
        """Write every row of this batch; on commit, ring for the studies that changed."""
        self._count(refused)
        self.publication.save(force_insert=True)
        self._write()

    def _write(self) -> None:
        changed = self._changed_studies()
        announcements.take_up(self._facility, self._new_studies)
        Study.objects.bulk_create(self._new_studies)
        Series.objects.bulk_create(self._new_series)
        for pack in self._packs.values():
            pack.row(self._owners.get(pack.id))
        for pks in _some_at_a_time(self._superseded):
            Instance.objects.filter(pk__in=pks).update(superseded_at=self._now)
        Instance.objects.bulk_create(self._new)
        Quarantined.objects.bulk_create(self._quarantined)
        self._announce(changed)

    # What is known

    def _known_studies(self, uids: set[str]) -> dict[str, Study]:
        """Locked, in one order: the pipeline too locks a study before its patient and its job."""
        studies = Study.objects.filter(facility=self._facility, study_uid__in=uids).order_by("pk")
        locked = studies.select_for_update(no_key=True, of=("self",)).select_related("patient")
        return {study.study_uid: study for study in locked}

    def _known_series(self) -> dict[tuple[UUID, str], Series]:
        known = Series.objects.filter(study__in=list(self._studies.values())).only("study_id", "series_uid")
        return {(series.study_id, series.series_uid): series for series in known}

    def _known_instances(self, uids: set[str]) -> dict[str, Instance]:
        known: dict[str, Instance] = {}
        for some in _some_at_a_time(uids):
            current = Instance.objects.filter(facility=self._facility, superseded_at=None, sop_uid__in=some)
            for instance in current.select_related("study__patient").defer("facts", "frames"):
                known[instance.sop_uid] = instance
        return known

    # What becomes of it

    def _contradiction(self, named: Named) -> Reason | None:
        if not named.patient_id:
            return Reason.NO_PATIENT_ID
        study, before = self._studies.get(named.study_uid), self._current.get(named.sop_uid)
        patients_known = [known.patient for known in (study, before and before.study) if known]
        if not all(_is_same(patient, named) for patient in patients_known):
            return Reason.OTHER_PATIENT
        if before and before.study.study_uid != named.study_uid:
            return Reason.OTHER_STUDY
        return None

    def _add(self, arrival: Arrival) -> None:
        study = self._study(arrival.named)
        before = self._current.get(arrival.named.sop_uid)
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
            rejected_at=self._now if (study.pk, arrival.named.sop_uid) in self._rejected else None,
        )
        if before:
            self._supersede(before)
        self._current[instance.sop_uid] = instance
        self._owners[arrival.pack.id] = study.patient
        self._new.append(instance)

    def _supersede(self, before: Instance) -> None:
        if before.pk:
            self._superseded.append(before.pk)
        else:
            before.superseded_at = self._now  # came in this very request

    def _study(self, named: Named) -> Study:
        study = self._studies.get(named.study_uid)
        if study is None:
            patient = patients.register(
                self._facility,
                named.patient_id,
                issuer=named.issuer,
                name=named.patient_name,
                birth_date=dicom_date(named.birth_date),
                sex=named.sex,
                source=Source.IMAGES,
                actor=self._actor,
            )
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
        return list({instance.study_id: instance.study for instance in self._new}.values())

    def _count(self, refused: int) -> None:
        receipt = self.publication
        receipt.stored, receipt.quarantined, receipt.refused = len(self._new), len(self._quarantined), refused
        receipt.size = sum(row.length for row in self._new) + sum(row.length for row in self._quarantined)

    def _announce(self, changed: list[Study]) -> None:
        known = {study.pk for study in changed} - {study.pk for study in self._new_studies}
        Study.objects.filter(pk__in=known).update(
            version=F("version") + 1, state=Study.State.STORED, changed_at=self._now
        )
        instances = Counter(instance.study_id for instance in self._new)
        for study in changed:
            if (after := jobs.want(study)) is not None:
                pipeline.ring(study.pk, after=after)
            self._audit(Action.PUBLISHED, study, instances=instances[study.pk])
        held = Counter((row.study_uid, str(row.reason)) for row in self._quarantined)
        for (study_uid, reason), number in held.items():
            self._audit(Action.QUARANTINED, self._studies.get(study_uid), instances=number, reason=reason)

    def _audit(self, action: Action, study: Study | None, *, instances: int, reason: str | None = None) -> None:
        audit.record(
            action,
            actor=self._actor,
            facility_id=self._facility.pk,
            study_id=study.pk if study else None,
            way="dicomweb",
            publication=str(self.publication.pk),
            instances=instances,
            reason=reason,
        )


def _is_same(patient: FacilityPatient, named: Named) -> bool:
    """An issuer that is not named contradicts nobody; one that is must be the patient's."""
    return patient.patient_id == named.patient_id and named.issuer in ("", patient.issuer)


def _some_at_a_time(values: Iterable[T]) -> Iterator[list[T]]:
    """Lists short enough for one statement of any database."""
    rest = iter(values)
    while some := list(islice(rest, _MOST_PARAMETERS)):
        yield some
