"""The patient's side of the audit: who did what with her images, how and when, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Words
from accounts.models import AuditEvent, PatientRecord, User
from sharing import access, given, wording
from sharing.access import Relation
from sharing.models import Grant
from studies.models import Study

SENTENCES: dict[Action, Words] = {
    Action.PUBLISHED: _("sent images"),
    Action.QUARANTINED: _("sent images that wait for a check"),
    Action.HELD_VIEWED: _("looked at images that wait for a check"),
    Action.TAKEN_IN: _("added images that had waited for a check"),
    Action.LEFT_OUT: _("left images out that had waited for a check"),
    Action.MOVED_OUT: _("moved images of this exam to another, where they belong"),
    Action.REJECTED: _("took images back"),
    Action.NOTE_IGNORED: _("tried to take back images of another exam"),
    Action.REPORT_RECEIVED: _("sent a report"),
    Action.ANNOUNCED: _("said how many files an exam has"),
    Action.PATIENT_REGISTERED: _("registered a patient"),
    Action.GATEWAY_ASKED: _("wanted something of its gateway"),
    Action.PATIENTS_MERGED: _("said that two of its numbers are one person’s"),
    Action.MERGE_REVERSED: _("said that two of its numbers are two people’s after all"),
    Action.NUMBER_CAME: _("brought in what it has under another number of yours"),
    Action.NUMBER_WENT: _("took out what it had brought in under another number"),
    Action.RELEASED: _("released the study"),
    Action.WITHDRAWN: _("took the study back"),
    Action.CODE_ISSUED: _("made a code"),
    Action.CODE_REVOKED: _("ended a code"),
    Action.DESK_SEARCHED: _("searched for a patient"),
    Action.PATIENT_VIEWED: _("looked up name and birth date at the desk"),
    Action.PATIENT_CORRECTED: _("corrected name or birth date"),
    Action.IDENTITY_CONFIRMED: _("checked an identity document"),
    Action.CLAIMED: _("claimed with a code"),
    Action.CLAIM_REFUSED: _("tried a code that did not fit"),
    Action.UNLINKED: _("moved images to another record"),
    Action.GRANTED: _("shared images"),
    Action.REVOKED: _("stopped sharing"),
    Action.GRANT_EXTENDED: _("moved the end of sharing"),
    Action.GRANT_WIDENED: _("shared more exams"),
    Action.MORE_ASKED: _("asked to see more"),
    Action.GRANT_ADOPTED: _("received shared images"),
    Action.LINK_OPENED: _("opened the link"),
    Action.PASSCODE_REFUSED: _("typed a wrong passcode"),
    Action.INTRODUCED: _("said who they are"),
    Action.STORED_ELSEWHERE: _("stored the exam in their own archive"),
    Action.CAPABILITY_MADE: _("made an address for their archive to fetch the exam"),
    Action.CONSENT_WRITTEN: _("wrote what patients agree to"),
    Action.CONSENT_GIVEN: _("wrote down that the patient agrees"),
    Action.CONSENT_WITHDRAWN: _("took back what the patient had agreed to"),
    Action.CONTACT_KEPT: _("wrote down how to reach the patient"),
    Action.RELEASE_MOVED: _("decided anew when the exam opens, as the facility's rules say"),
    Action.RULE_MADE: _("made a rule for when exams open"),
    Action.RULE_MOVED: _("put a rule for when exams open before the others"),
    Action.RULE_ENDED: _("ended a rule for when exams open"),
    Action.CARE_TAKEN: _("opened a record for somebody in her care"),
    Action.CODE_PROVED: _("typed a right code and birth date, before signing in"),
    Action.FROZEN: _("said “this was not me”: the images were taken out of the record"),
    Action.RESTORED: _("gave the images back"),
    Action.CLAIM_UNDONE: _("took the images out of the record: they belong to somebody else"),
    Action.CASE_OPENED: _("asked the facility something"),
    Action.CASE_ANSWERED: _("answered"),
    Action.CAPABILITY_ENDED: _("ended an address that they had made for their archive"),
    Action.LISTED: _("saw the exam in a list of what is lent"),
    Action.VIEWED: _("looked at the pictures"),
    Action.REPORT_VIEWED: _("read the report"),
    Action.DOWNLOADED: _("downloaded the study"),
    Action.ACCOUNTED: _("read who had looked"),
    Action.REFUSED: _("was refused"),
    Action.SIGNED_UP: _("made an account"),
    Action.SIGN_UP_FAILED: _("tried to make another account"),
    Action.SIGNED_IN: _("signed in"),
    Action.SIGN_IN_FAILED: _("tried to sign in"),
    Action.SIGNED_OUT: _("signed out"),
    Action.SESSIONS_ENDED: _("signed out everywhere"),
    Action.PASSWORD_CHANGED: _("changed the password"),
    Action.EMAIL_CHANGED: _("changed the e-mail address"),
    Action.FACTOR_ADDED: _("set up a second step to sign in"),
    Action.FACTOR_REMOVED: _("removed a second step to sign in"),
    Action.FACTOR_FAILED: _("gave a wrong code at the second step"),
    Action.DETAILS_CHANGED: _("changed name or birth date"),
    Action.ACCOUNT_ADDED: _("made an account"),
    Action.FACILITY_ADDED: _("added a facility"),
    Action.FACILITY_CHANGED: _("changed a facility's phone or hours"),
    Action.KEY_ISSUED: _("made a key"),
    Action.KEY_REVOKED: _("ended a key"),
    Action.ERASED: _("erased the images for good"),
    Action.KEYS_ROTATED: _("changed the keys that everything is sealed with"),
}
LOOKS: Final = [Action.VIEWED, Action.REPORT_VIEWED, Action.DOWNLOADED]
DISCLOSED: Final = [*LOOKS, Action.LISTED]  # a name, a birth date and a title in a list are a disclosure too
BY_BORROWER: Final = [
    Action.LINK_OPENED,
    Action.PASSCODE_REFUSED,
    Action.INTRODUCED,
    Action.CAPABILITY_MADE,
    Action.CAPABILITY_ENDED,
    Action.STORED_ELSEWHERE,
    Action.MORE_ASKED,
]
LENDING: Final = [Action.GRANTED, Action.REVOKED, Action.GRANT_EXTENDED, Action.GRANT_WIDENED, *BY_BORROWER]
# What a patient's page tells. GRANT_ADOPTED stays out: it would tell whoever types an address that it has an account.
AT_DESK: Final = [
    Action.TAKEN_IN,
    Action.MOVED_OUT,
    Action.PATIENT_VIEWED,
    Action.PATIENT_CORRECTED,
    Action.IDENTITY_CONFIRMED,
    Action.CODE_ISSUED,
    Action.CONSENT_GIVEN,
    Action.CONSENT_WITHDRAWN,
    Action.CONTACT_KEPT,
    Action.CASE_OPENED,
    Action.CASE_ANSWERED,
    Action.RELEASED,
    Action.RELEASE_MOVED,
    Action.WITHDRAWN,
]
ELSE: Final = [
    Action.REJECTED,
    Action.ERASED,
    Action.CLAIMED,
    Action.UNLINKED,
    Action.FROZEN,
    Action.RESTORED,
    Action.CLAIM_UNDONE,
    Action.ACCOUNTED,
    Action.REFUSED,
]
TOLD: Final = [*DISCLOSED, *LENDING, *AT_DESK, *ELSE]

NAME_LISTED: Final = _("saw your name in a list of what is lent")  # what is lent waits, or was withdrawn
TIMELINE: Final = "timeline"  # the small picture in one's own list: written down, but no look worth a line
WITH_WHOM: Final[dict[Action, Words]] = {
    Action.GRANTED: _("shared images with %(whom)s"),
    Action.REVOKED: _("stopped sharing with %(whom)s"),
    Action.GRANT_EXTENDED: _("moved the end of sharing with %(whom)s"),
    Action.GRANT_WIDENED: _("shared more exams with %(whom)s"),
}
RELATIONS: Final[dict[str, Words]] = {
    Relation.REPRESENTED: _("on behalf of the record's owner"),
    Relation.LENT: _("because you share it"),
    Relation.STAFF: _("as staff of the facility"),
}
PROVED: Final[dict[str, Words]] = {  # of whoever borrows
    Grant.Kind.EMAIL: _("e-mail address verified"),
    Grant.Kind.LINK: _("anyone with the link"),
}
WAYS: Final[dict[str, Words]] = {
    "page": _("on this site"),
    TIMELINE: _("in a list"),
    "api": _("with a program"),
    "dicomweb": _("in a viewing program"),
    "command": _("at the server"),
}


@dataclass(frozen=True)
class Look:
    """One line of the activity page. `study` is empty when the event is about none that is visible now."""

    at: datetime
    who: Words
    what: Words
    how: str
    study_id: UUID | None
    study: str
    is_own: bool


def latest(study: Study, *, viewer: User, count: int = 5) -> list[Look]:
    """The last looks at a study, newest first, for whoever keeps its record."""
    return list(tell(looks_at(activity(viewer, study=study))[:count], viewer))


def activity(viewer: User, *, study: Study | None = None, others_only: bool = False) -> QuerySet[AuditEvent]:
    """Everything told to a person of the records she keeps, newest first.

    An event of a study before anybody claimed it belongs to whoever keeps it now. One that names another record does
    not, though the study has moved since: it tells of somebody else's care.
    """
    records = access.records_of(viewer).values("pk")
    kept = access.kept_by(viewer).values("pk")
    told = AuditEvent.objects.filter(
        Q(record_id__in=records) | Q(record_id=None, study_id__in=kept), action__in=[str(one) for one in TOLD]
    ).exclude(way=TIMELINE, actor_id=str(viewer.pk))
    if study is not None:
        grants = [str(one) for one in given.about(viewer, study).values_list("pk", flat=True)]
        told = told.filter(Q(study_id=study.pk) | Q(action__in=LENDING, detail__grant__in=grants))
    if others_only:
        told = told.exclude(actor_id=str(viewer.pk))
    return told.order_by("-at", "-pk")


def looks_at(events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Only those at which somebody saw, read or took something."""
    return events.filter(action__in=[str(one) for one in LOOKS])


def accounting(record: PatientRecord, since: datetime) -> Iterator[Look]:
    """Every disclosure from a record since a moment, the oldest first (45 CFR 164.528 asks for six years)."""
    disclosed = AuditEvent.objects.filter(record_id=record.pk, at__gte=since)
    looks = disclosed.filter(action__in=[str(one) for one in DISCLOSED]).order_by("at", "pk")
    return tell(looks.iterator(), record.user)


def account_for(record: PatientRecord, since: datetime, *, actor: Actor, way: str) -> list[Look]:
    """The accounting for whoever asks on the patient's behalf; asking is itself written down and told to her."""
    with transaction.atomic():
        told = list(accounting(record, since))
        audit.record(Action.ACCOUNTED, actor=actor, record_id=record.pk, way=way, events=len(told))
    return told


def tell(events: Iterable[AuditEvent], reader: User | None) -> Iterator[Look]:
    """Events in words, for this reader; nobody's exams and addressees are named to nobody."""
    titles: dict[UUID, str] = {}
    lent: dict[str, Grant] = {}
    if reader is not None:
        titles = {study.pk: wording.exam(study) for study in access.kept_by(reader)}
        lent = {str(grant.pk): grant for grant in given.told(reader)}
    return (_look(event, reader, titles, lent) for event in events)


def _look(event: AuditEvent, reader: User | None, titles: dict[UUID, str], lent: dict[str, Grant]) -> Look:
    is_own = reader is not None and event.actor_id == str(reader.pk)
    study_id = event.study_id if event.study_id in titles else None
    return Look(
        at=event.at,
        who=_("You") if is_own else _who(event, lent),
        what=_what(event, lent),
        how=_how(event, lent),
        study_id=study_id,
        study=titles[study_id] if study_id else "",
        is_own=is_own,
    )


def _what(event: AuditEvent, lent: dict[str, Grant]) -> Words:
    action, grant = Action(event.action), lent.get(_grant(event))
    if action == Action.LISTED and event.study_id is None:
        return NAME_LISTED
    if grant is None or action not in WITH_WHOM:
        return SENTENCES[action]
    return str(WITH_WHOM[action]) % {"whom": given.who_of(grant)}


def _grant(event: AuditEvent) -> str:
    return str(event.detail.get("grant", ""))


def _is_borrowers(event: AuditEvent) -> bool:
    """Whether it is the deed of somebody who was lent something."""
    return event.detail.get("relation") == Relation.LENT or event.action in BY_BORROWER


def _who(event: AuditEvent, lent: dict[str, Grant]) -> Words:
    # A borrower with what she was lent by: by the name alone, which is her choice, she could be anybody.
    if _is_borrowers(event) and (grant := lent.get(_grant(event))):
        return given.borrower_of(grant, event.actor_label)
    match event.actor_kind:
        case "staff":
            return _("Staff of %(facility)s") % {"facility": event.actor_label}
        case "operator":
            return _("The operator of this site")
        case "nobody":
            return _("Somebody not signed in")
        case _kind:
            return event.actor_label or _("This site")


def _how(event: AuditEvent, lent: dict[str, Grant]) -> str:
    grant = lent.get(_grant(event)) if _is_borrowers(event) else None
    proved = PROVED[grant.kind] if grant else ""
    said = [RELATIONS.get(str(event.detail.get("relation", "")), ""), proved, WAYS.get(event.way, "")]
    return ", ".join(str(one) for one in said if one)
