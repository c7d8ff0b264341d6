"""Maria's study as a facility really publishes it: bytes in, pictures out, a report beside them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts.audit import Actor
from sharing import releases
from sharing.models import Link
from studies import catalog, intake, pipeline, reports
from studies.models import FacilityPatient, Instance, Report, Study
from tests import factories
from tests.cast import Cast
from tests.studies.pdfs_made import pdf

PDF = pdf("Findings: lungs clear.", "Impression: normal.", "Signed.")


@dataclass(frozen=True)
class Published:
    """A study that is ready, released and linked to Maria's record."""

    study: Study
    series_id: UUID
    report: Report

    @property
    def first(self) -> Instance:
        """Its first instance."""
        return self.study.instances.select_related("series").earliest("pk")


def publish_for(cast: Cast, count: int = 3, patient_id: str = "PUB-1") -> Published:
    """Publish, prepare, report, release and link through the real verbs."""
    files = factories.ct_series(count, study=9, PatientID=patient_id)
    receipt = intake.publish(cast.lakeside, [[file] for file in files])
    assert len(receipt.stored) == count
    study = Study.objects.get(facility=cast.lakeside, study_uid=factories.uid(9))
    pipeline.advance(study.pk, at_once=True)
    report, _ = reports.receive(cast.lakeside, study_uid=study.study_uid, status=Report.Status.FINAL, content=PDF)
    patient = FacilityPatient.objects.get(facility=cast.lakeside, patient_id=patient_id)
    Link.objects.create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    study.refresh_from_db()
    if not hasattr(study, "release"):
        releases.release(study, actor=Actor.facility(cast.lakeside))
    return Published(study, catalog.series_of(study)[0].id, report)
