"""What a facility has given before, as far as a request needs to know it: one statement for studies, one for instances.

The columns below are what is asked of such rows; whatever else is, the row reads by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any, Final, TypeVar
from uuid import UUID

from accounts.models import Facility
from accounts.rows import Columns, fetch, locking
from studies.models import FacilityPatient, Instance, Job, Quarantined, Series, Study

Mark = tuple[str, bytes]
"""SOP Instance UID and SHA-256: the same mark is the same instance, bit for bit."""
Reason = Quarantined.Reason
T = TypeVar("T")

MOST: Final = 500
"""Values in one statement, at most: short enough for any database."""

STUDY: Final = Columns(Study, "id", "study_uid", "patient_id", "instance_count", "image_count")
PATIENT: Final = Columns(FacilityPatient, "id", "patient_id", "issuer", "wrapped_key")
JOB: Final = Columns(Job, "study_id", "since", "failure", "dead_at")
SERIES: Final = Columns(Series, "id", "study_id", "series_uid")
INSTANCE: Final = Columns(Instance, "id", "study_id", "sop_uid", "version", "superseded_at", "sha256")

_STUDIES = f"""
    SELECT {STUDY.of("study")}, {PATIENT.of("patient")}, {JOB.of("job")}, {SERIES.of("series")}
    FROM studies_study study JOIN studies_facilitypatient patient ON patient.id = study.patient_id
    LEFT JOIN studies_job job ON job.study_id = study.id
    LEFT JOIN studies_series series ON series.study_id = study.id AND series.series_uid IN %s
    WHERE study.facility_id = %s AND study.study_uid IN %s ORDER BY study.id
"""  # noqa: S608 - our own names
# What is damaged or was erased is lost: sent again, it takes its place again.
_KEPT = "pack.damaged_at IS NULL AND length(pack.wrapped_key) > 0"
_GIVEN = f"""
    SELECT 'stored', {INSTANCE.of("stored")}, '', {_KEPT} FROM studies_instance stored
    JOIN studies_sealedobject pack ON pack.id = stored.pack_id WHERE stored.facility_id = %s AND stored.sop_uid IN %s
    UNION ALL
    SELECT 'held', NULL, NULL, held.sop_uid, 0, NULL, held.sha256, held.reason, {_KEPT} FROM studies_quarantined held
    JOIN studies_sealedobject pack ON pack.id = held.pack_id WHERE held.facility_id = %s AND held.sop_uid IN %s
    UNION ALL
    SELECT 'named', NULL, named.study_id, named.sop_uid, 0, NULL, NULL, '', 1 = 0 FROM studies_rejection named
    WHERE named.study_id IN %s AND named.sop_uid IN %s
"""  # noqa: S608


@dataclass
class Studies:
    """The studies of a request, with their patients, by Study Instance UID; what else is known of them."""

    by_uid: dict[str, Study] = field(default_factory=dict)
    series: dict[tuple[UUID, str], Series] = field(default_factory=dict)
    """By the study's key and the series' UID; those that were asked for."""
    jobs: dict[UUID, Job] = field(default_factory=dict)


@dataclass
class Given:
    """The instances of a request, as far as the facility has given them before."""

    marks: dict[Mark, Reason | None] = field(default_factory=dict)
    """Those kept, in any version; with the reason if quarantined."""
    stored: set[Mark] = field(default_factory=set)
    """Those that are no longer quarantined, or never were; also those of which the bytes are lost."""
    current: dict[str, Instance] = field(default_factory=dict)
    """The current version of each."""
    rejected: set[tuple[UUID, str]] = field(default_factory=set)
    """What notes name in these studies, come or not, as (study, SOP Instance UID)."""


def lock(facility: Facility) -> None:
    """Take turns with whatever else changes what a facility has given, until the transaction ends."""
    if locked := locking("facility"):
        fetch(f"SELECT 1 FROM accounts_facility facility WHERE facility.id = %s{locked}", facility.pk)  # noqa: S608


def studies(facility: Facility, study_uids: Collection[str], series_uids: Collection[str]) -> Studies:
    """The studies and series. Studies are locked, in one order: the pipeline too locks a study before her and its job.

    Jobs are read and not locked: one that a worker was about to finish may be gone.
    """
    found = Studies()
    for uids, wanted in product(some_at_a_time(study_uids), some_at_a_time(series_uids)):
        for row in fetch(_STUDIES + locking("study"), wanted, facility.pk, uids):
            _note_study(found, iter(row))
    return found


def given(facility: Facility, sop_uids: Collection[str], studies: Collection[Study] = ()) -> Given:
    """The instances; call it when the studies are locked, for that is when notes are read as well."""
    found, pks = Given(), [study.pk for study in studies]
    for uids, some in product(some_at_a_time(sop_uids), list(some_at_a_time(pks)) or [[]]):
        for row in fetch(_GIVEN, facility.pk, uids, facility.pk, uids, some, uids):
            _note_given(found, iter(row))
    return found


def some_at_a_time(values: Iterable[T]) -> Iterator[list[T]]:
    """Lists short enough for one statement."""
    rest = iter(values)
    while some := list(islice(rest, MOST)):
        yield some


def _note_study(found: Studies, cells: Iterator[Any]) -> None:
    study, patient, job, series = STUDY.take(cells), PATIENT.take(cells), JOB.take(cells), SERIES.take(cells)
    study = found.by_uid.setdefault(study.study_uid, study)
    study.patient = patient
    if job.pk:
        found.jobs[study.pk] = job
    if series.pk:
        found.series[study.pk, series.series_uid] = series


def _note_given(found: Given, cells: Iterator[Any]) -> None:
    kind, one, reason, is_kept = next(cells), INSTANCE.take(cells), next(cells), next(cells)
    if kind == "named":
        found.rejected.add((one.study_id, one.sop_uid))
        return
    mark = one.sop_uid, bytes(one.sha256)
    if kind == "held":
        if is_kept:
            found.marks.setdefault(mark, Reason(reason))
        return
    found.stored.add(mark)
    if is_kept:
        found.marks[mark] = None
    if one.superseded_at is None:
        found.current[one.sop_uid] = one
