"""What somebody wants to lend, checked before anything is stored; `sharing.grants` and `sharing.links` store it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NotRequired, TypedDict, Unpack
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import people
from accounts.errors import BadRequest
from accounts.models import PatientRecord, User
from sharing import access
from sharing.access import Right
from sharing.models import Grant, Link
from studies.models import Series, Study

LONGEST: Final = timedelta(days=366)
VIEW, REPORT, DOWNLOAD = "view", "report", "download"
RIGHTS: Final = (VIEW, REPORT, DOWNLOAD)
NOTE_LENGTH: Final = 400
WHOM_LENGTH: Final = 200

Wanted = Sequence[UUID] | Literal["all", "all_and_later"]


class Asked(TypedDict):
    """What somebody wants to lend, to whom, and how. Without an address it is lent by link."""

    studies: Wanted
    series: NotRequired[Collection[UUID]]
    email: NotRequired[str]
    whom: NotRequired[str]
    rights: Collection[str]
    expires_at: datetime
    starts_at: NotRequired[datetime]
    purpose: NotRequired[str]
    note: NotRequired[str]
    tell_each: NotRequired[bool]


@dataclass(frozen=True)
class Draft:
    """What would be granted: checked, and not stored yet."""

    grant: Grant
    studies: list[Study]  # those of today, whatever the scope
    series: list[Series] = field(default_factory=list)  # of studies that are lent in parts


def draft(giver: User, **asked: Unpack[Asked]) -> Draft:
    """Check what somebody wants to lend.

    BadRequest with a sentence for what cannot be; NotFound or NotAllowed for a study that she cannot see or not lend.
    """
    studies = asked["studies"]
    record, chosen = _chosen(giver, studies)
    is_by_link = "email" not in asked
    start = asked.get("starts_at") or timezone.now()
    drawn = Grant(
        record=record,
        given_by=giver,
        kind=Grant.Kind.LINK if is_by_link else Grant.Kind.EMAIL,
        email="" if is_by_link else _address(giver, asked["email"]),
        whom=_short(asked.get("whom", ""), WHOM_LENGTH),
        scope=studies if isinstance(studies, str) else Grant.Scope.CHOSEN,
        starts_at=start,
        expires_at=end(asked["expires_at"], start),
        purpose=asked.get("purpose", ""),
        note=_short(asked.get("note", ""), NOTE_LENGTH),
        tell_each=asked.get("tell_each", False),
        **_rights(asked["rights"]),
    )
    return Draft(drawn, chosen, _series(asked.get("series", ()), chosen if drawn.scope == Grant.Scope.CHOSEN else []))


def end(expires_at: datetime, start: datetime) -> datetime:
    """The moment at which sharing ends; BadRequest for one that cannot be."""
    now = timezone.now()
    if expires_at <= now:
        raise BadRequest(_("The end lies in the past."), hint=_("Choose a day that is still to come."))
    if expires_at <= start:
        raise BadRequest(_("The end lies before the beginning."), hint=_("Choose a later last day."))
    if expires_at > now + LONGEST:
        raise BadRequest(_("Sharing lasts a year at most."), hint=_("Choose an earlier day; you can extend it later."))
    return expires_at


def _chosen(giver: User, wanted: Wanted) -> tuple[PatientRecord, list[Study]]:
    lendable = access.newest_first(access.kept_by(giver, Right.LEND))
    if isinstance(wanted, str):
        record = people.record_of(giver)
        mine = lendable.filter(patient__links__record=record, patient__links__ended_at=None)
        if wanted == "all" and not mine:
            raise BadRequest(_("There is nothing to share yet."), hint=_("Share once your first images are here."))
        return record, list(mine)
    found = list(lendable.filter(pk__in=wanted))
    for missing in set(wanted) - {study.pk for study in found}:
        access.study_for(access.viewer_for(giver), missing, Right.LEND)
    return _record_behind(found), found


def _series(wanted: Collection[UUID], chosen: list[Study]) -> list[Series]:
    """The series to which some of the chosen exams are limited."""
    found = list(Series.objects.filter(pk__in=wanted, study__in=chosen, instance_count__gt=0).order_by("number", "pk"))
    if len(found) != len(set(wanted)):
        raise BadRequest(
            _("These series belong to no exam that is chosen."), hint=_("Choose series of the exams that you share.")
        )
    return found


def _record_behind(studies: list[Study]) -> PatientRecord:
    """The one record that all these studies are on."""
    if not studies:
        raise BadRequest(_("No exam is chosen."), hint=_("Choose at least one exam to share."))
    links = Link.objects.filter(patient__in={study.patient_id for study in studies}, ended_at=None)
    records = list(PatientRecord.objects.filter(pk__in=links.values("record")))
    if len(records) != 1:
        raise BadRequest(
            _("These exams belong to different people."), hint=_("Share the exams of one person at a time.")
        )
    return records[0]


def _address(giver: User, email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise BadRequest(
            _("This does not look like an e-mail address."), hint=_("Type it like name@example.org.")
        ) from error
    if address == giver.email or EmailAddress.objects.filter(user=giver, email=address).exists():
        raise BadRequest(_("That is your own address."), hint=_("Type the address of the person you share with."))
    return address


def _rights(rights: Collection[str]) -> dict[str, bool]:
    if VIEW not in rights or not set(rights) <= set(RIGHTS):
        raise BadRequest(
            _("Sharing allows to view, and if you like to read the report and to download."),
            hint=_("Name “view”, and “report” and “download” as you like."),
        )
    return {"may_report": REPORT in rights, "may_download": DOWNLOAD in rights}


def _short(text: str, most: int) -> str:
    if len(text) > most:
        raise BadRequest(_("The text is too long."), hint=_("Use %(most)d characters at most.") % {"most": most})
    return text.strip()
