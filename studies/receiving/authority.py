"""Who says whose files are, and in whose name the ledger writes down what became of them."""

from __future__ import annotations

from typing import Final, Protocol

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import Facility
from studies import patients
from studies.models import FacilityPatient, Publication, Study
from studies.patients import Source
from studies.receiving.arrivals import Named
from studies.values import dicom_date

WAY: Final = "dicomweb"


class Authority(Protocol):
    """Whose word counts: the files' own, or that of somebody who has looked at them."""

    def whose(self, named: Named) -> FacilityPatient:
        """The patient of a study that is not known yet."""

    def note_published(self, study: Study, publication: Publication, instances: int) -> None:
        """Write down that a study got instances."""


class TheFiles:
    """What a facility sends speaks for itself."""

    def __init__(self, facility: Facility) -> None:
        self._facility = facility
        self._actor = Actor.facility(facility)

    def whose(self, named: Named) -> FacilityPatient:
        """The patient that the file names, registered when she is new."""
        return patients.register(
            self._facility,
            named.patient_id,
            issuer=named.issuer,
            name=named.patient_name,
            birth_date=dicom_date(named.birth_date),
            sex=named.sex,
            source=Source.IMAGES,
            actor=self._actor,
        )

    def note_published(self, study: Study, publication: Publication, instances: int) -> None:
        """As the facility's own deed."""
        self._note(Action.PUBLISHED, study, publication, instances)

    def note_quarantined(self, study: Study | None, publication: Publication, instances: int, reason: str) -> None:
        """Write down that instances were set aside; with their study where that is known."""
        self._note(Action.QUARANTINED, study, publication, instances, reason)

    def _note(
        self, action: Action, study: Study | None, publication: Publication, instances: int, reason: str | None = None
    ) -> None:
        audit.record(
            action,
            actor=self._actor,
            facility_id=self._facility.pk,
            study_id=study.pk if study else None,
            way=WAY,
            publication=str(publication.pk),
            instances=instances,
            reason=reason,
        )
