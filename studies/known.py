"""What a facility has given before, as far as a request needs to know it: a statement for each question.

The columns below are what is asked of such rows; whatever else is, the row reads by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from accounts.models import Facility
from accounts.rows import Columns, fetch, locking
from studies.models import FacilityPatient, Instance, Quarantined, Series, Study

Mark = tuple[str, bytes]
"""SOP Instance UID and SHA-256: the same mark is the same instance, bit for bit."""
Reason = Quarantined.Reason
T = TypeVar("T")

MOST: Final = 500
"""Values in one statement, at most: short enough for any database."""

STUDY: Final = Columns(Study, "id", "study_uid", "patient_id", "instance_count", "image_count")
PATIENT: Final = Columns(FacilityPatient, "id", "patient_id", "issuer", "wrapped_key")
SERIES: Final = Columns(Series, "id", "study_id", "series_uid")
INSTANCE: Final = Columns(Instance, "id", "study_id", "sop_uid", "version")

# What is damaged or was erased is not known: sent again, it takes its place again.
_MARKS = """
    SELECT held.sop_uid, held.sha256, held.reason FROM studies_quarantined held
    JOIN studies_sealedobject pack ON pack.id = held.pack_id
    WHERE held.facility_id = %s AND held.sop_uid IN %s AND pack.damaged_at IS NULL AND length(pack.wrapped_key) > 0
    UNION ALL
    SELECT stored.sop_uid, stored.sha256, '' FROM studies_instance stored
    JOIN studies_sealedobject pack ON pack.id = stored.pack_id
    WHERE stored.facility_id = %s AND stored.sop_uid IN %s AND pack.damaged_at IS NULL AND length(pack.wrapped_key) > 0
"""
_STUDIES = f"""
    SELECT {STUDY.of("study")}, {PATIENT.of("patient")} FROM studies_study study
    JOIN studies_facilitypatient patient ON patient.id = study.patient_id
    WHERE study.facility_id = %s AND study.study_uid IN %s ORDER BY study.id
"""  # noqa: S608 - our own names
_SERIES = f"SELECT {SERIES.of('series')} FROM studies_series series WHERE series.study_id IN %s"  # noqa: S608
_INSTANCES = f"""
    SELECT {INSTANCE.of("instance")}, {STUDY.of("study")}, {PATIENT.of("patient")} FROM studies_instance instance
    JOIN studies_study study ON study.id = instance.study_id
    JOIN studies_facilitypatient patient ON patient.id = study.patient_id
    WHERE instance.facility_id = %s AND instance.superseded_at IS NULL AND instance.sop_uid IN %s
"""  # noqa: S608


def lock(facility: Facility) -> None:
    """Take turns with whatever else changes what a facility has given, until the transaction ends."""
    if locked := locking("facility"):
        fetch(f"SELECT 1 FROM accounts_facility facility WHERE facility.id = %s{locked}", facility.pk)  # noqa: S608


def marks(facility: Facility, sop_uids: Collection[str]) -> dict[Mark, Reason | None]:
    """Which of these instances the facility has given before, in any version; with the reason if quarantined."""
    found: dict[Mark, Reason | None] = {}
    for uids in some_at_a_time(sop_uids):
        for uid, sha256, reason in fetch(_MARKS, facility.pk, uids, facility.pk, uids):
            mark = uid, bytes(sha256)
            if reason:
                found.setdefault(mark, Reason(reason))
            else:
                found[mark] = None
    return found


def studies(facility: Facility, study_uids: Collection[str]) -> dict[str, Study]:
    """The studies with their patients. Locked, in one order: the pipeline too locks a study before her and its job."""
    found = {}
    for uids in some_at_a_time(study_uids):
        for row in fetch(_STUDIES + locking("study"), facility.pk, uids):
            study = _with_patient(iter(row))
            found[study.study_uid] = study
    return found


def series(studies: Iterable[Study]) -> dict[tuple[UUID, str], Series]:
    """Every series of these studies, by the study's key and the series' UID."""
    found = {}
    for pks in some_at_a_time(study.pk for study in studies):
        for row in fetch(_SERIES, pks):
            one = SERIES.take(iter(row))
            found[one.study_id, one.series_uid] = one
    return found


def instances(facility: Facility, sop_uids: Collection[str]) -> dict[str, Instance]:
    """The current version of each instance, with its study and patient."""
    found = {}
    for uids in some_at_a_time(sop_uids):
        for row in fetch(_INSTANCES, facility.pk, uids):
            cells = iter(row)
            instance = INSTANCE.take(cells)
            instance.study = _with_patient(cells)
            found[instance.sop_uid] = instance
    return found


def some_at_a_time(values: Iterable[T]) -> Iterator[list[T]]:
    """Lists short enough for one statement."""
    rest = iter(values)
    while some := list(islice(rest, MOST)):
        yield some


def _with_patient(cells: Iterator[object]) -> Study:
    study = STUDY.take(cells)
    study.patient = PATIENT.take(cells)
    return study
