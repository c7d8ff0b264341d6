"""Studies that the pipeline has gone through."""

from __future__ import annotations

from accounts.models import Facility
from studies import pipeline
from studies.models import Study
from tests.factories import uid


def ready(facility: Facility, study_uid: str = uid(1)) -> Study:
    """A published study, prepared to its end."""
    study = facility.studies.get(study_uid=study_uid)
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    assert study.state == Study.State.READY
    return study
