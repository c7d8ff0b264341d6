"""What waits for a check, in words: whose the files say they are, why they wait, and what a decision means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.errors import Words
from portal.desk.rows import PatientRow
from sharing import wording
from sharing.desk import Audience
from studies import names
from studies.models import FacilityPatient, Quarantined, Study
from studies.quarantine import Said, Waiting
from studies.words import modality_words

Reason = Quarantined.Reason


@dataclass(frozen=True)
class HeldRow:
    """Files that wait together, as a page shows them."""

    key: int
    upto: int
    name: str
    is_named: bool
    birth_date: date | None
    mrn: str
    issuer: str
    exam: str  # as the files call it; "" where nobody has read them
    study_date: date | None
    kind: Words
    count: int
    size: int
    sent_at: datetime
    why: Words

    @classmethod
    def of(cls, waiting: Waiting, said: Said | None = None) -> HeldRow:
        name = said.patient_name if said else waiting.patient_name
        return cls(
            key=waiting.key,
            upto=waiting.upto,
            name=names.listed(name) or _("Name not known"),
            is_named=bool(name),
            birth_date=said.birth_date if said else waiting.birth_date,
            mrn=waiting.patient_id,
            issuer=waiting.issuer,
            exam=said.description if said else "",
            study_date=said.study_date if said else None,
            kind=modality_words(said.modality) if said and said.modality else "",
            count=waiting.count,
            size=waiting.size,
            sent_at=waiting.sent_at,
            why=_why(waiting),
        )


def _why(waiting: Waiting) -> Words:
    if waiting.reason == Reason.NO_PATIENT_ID:
        return _("The files name no MRN.")
    if waiting.reason == Reason.OTHER_STUDY:
        return _("These images are here already, in another exam.")
    if waiting.study is not None:
        return _("The exam is here already, and belongs to another patient.")
    return _("These images are here already, and belong to another patient.")


def sentence(row: HeldRow, patient: PatientRow, study: Study | None) -> str:
    """What taking in means, read back before it is done."""
    count = {"count": row.count, "name": patient.name, "mrn": patient.mrn}
    if study is None:
        words = ngettext(
            "%(count)d image becomes a new exam of %(name)s, MRN %(mrn)s.",
            "%(count)d images become a new exam of %(name)s, MRN %(mrn)s.",
            row.count,
        )
        return words % count
    words = ngettext(
        "%(count)d image becomes part of the exam %(exam)s of %(name)s, MRN %(mrn)s.",
        "%(count)d images become part of the exam %(exam)s of %(name)s, MRN %(mrn)s.",
        row.count,
    )
    return words % {**count, "exam": wording.exam(study)}


def left_out(row: HeldRow) -> str:
    """What leaving out means, read back before it is done."""
    words = ngettext(
        "%(count)d image, which the files say is of %(name)s, is left out for good.",
        "%(count)d images, which the files say are of %(name)s, are left out for good.",
        row.count,
    )
    if not row.is_named:
        words = ngettext("%(count)d image is left out for good.", "%(count)d images are left out for good.", row.count)
    return words % {"count": row.count, "name": row.name}


def leaving(study: Study, count: int) -> str:
    """What another exam loses by it."""
    words = ngettext(
        "%(count)d image leaves the exam %(exam)s of %(name)s, where it is shown now.",
        "%(count)d images leave the exam %(exam)s of %(name)s, where they are shown now.",
        count,
    )
    return words % {"count": count, "exam": wording.exam(study), "name": _name(study.patient)}


def seen_by(audience: Audience) -> Words:
    """Who will see what is taken in."""
    return {
        Audience.NOBODY: _("The exam is withdrawn: nobody outside your facility sees them."),
        Audience.WITH_CODE: _(
            "The patient has not claimed any images yet: nobody outside your facility sees them until a code is used."
        ),
        Audience.LATER: _("The patient sees them from the day on which the exam opens."),
        Audience.PATIENT: _(
            "The patient has an account: she sees them as soon as they are ready, and so does everybody she shares "
            "the exam with."
        ),
    }[audience]


def _name(patient: FacilityPatient) -> str:
    return names.listed(patient.name) or _("Name not known")
