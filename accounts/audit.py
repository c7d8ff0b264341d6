"""The record of deeds: one event, appended in the transaction of the deed itself, never changed again.

Database triggers refuse UPDATE and DELETE (migration 0002). Events hold values, not foreign keys, so they outlive
what they describe.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import AttemptCounter, AuditEvent, Facility, PatientRecord, ProviderProfile, User
from accounts.rows import insert
from accounts.throttle import counter_key

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request under way, set by the site for each one, so that its events can be read together."""

DetailValue = str | int | bool | None


class Action(StrEnum):
    """What can be done here. Every one has its sentence in `sharing.disclosures`."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    HELD_VIEWED = "held_viewed"
    TAKEN_IN = "taken_in"
    LEFT_OUT = "left_out"
    MOVED_OUT = "moved_out"
    REJECTED = "rejected"
    NOTE_IGNORED = "note_ignored"
    REPORT_RECEIVED = "report_received"
    ANNOUNCED = "announced"
    PATIENT_REGISTERED = "patient_registered"
    RELEASED = "released"
    RELEASE_MOVED = "release_moved"
    RULE_MADE = "rule_made"
    RULE_MOVED = "rule_moved"
    RULE_ENDED = "rule_ended"
    WITHDRAWN = "withdrawn"
    CODE_ISSUED = "code_issued"
    CODE_REVOKED = "code_revoked"
    DESK_SEARCHED = "desk_searched"
    PATIENT_VIEWED = "patient_viewed"
    PATIENT_CORRECTED = "patient_corrected"
    PATIENTS_MERGED = "patients_merged"
    MERGE_REVERSED = "merge_reversed"
    NUMBER_CAME = "number_came"
    NUMBER_WENT = "number_went"
    IDENTITY_CONFIRMED = "identity_confirmed"
    CONTACT_KEPT = "contact_kept"
    CONSENT_WRITTEN = "consent_written"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CASE_OPENED = "case_opened"
    CASE_ANSWERED = "case_answered"
    CARE_TAKEN = "care_taken"
    CODE_PROVED = "code_proved"
    CLAIMED = "claimed"
    FROZEN = "frozen"
    RESTORED = "restored"
    CLAIM_UNDONE = "claim_undone"
    CLAIM_REFUSED = "claim_refused"
    UNLINKED = "unlinked"
    GRANTED = "granted"
    REVOKED = "revoked"
    GRANT_EXTENDED = "grant_extended"
    GRANT_WIDENED = "grant_widened"
    MORE_ASKED = "more_asked"
    GRANT_ADOPTED = "grant_adopted"
    LINK_OPENED = "link_opened"
    PASSCODE_REFUSED = "passcode_refused"
    INTRODUCED = "introduced"
    CAPABILITY_MADE = "capability_made"
    CAPABILITY_ENDED = "capability_ended"
    STORED_ELSEWHERE = "stored_elsewhere"
    LISTED = "listed"
    VIEWED = "viewed"
    REPORT_VIEWED = "report_viewed"
    DOWNLOADED = "downloaded"
    ACCOUNTED = "accounted"
    REFUSED = "refused"
    SIGNED_UP = "signed_up"
    SIGN_UP_FAILED = "sign_up_failed"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSIONS_ENDED = "sessions_ended"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a deed, not a secret
    EMAIL_CHANGED = "email_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_FAILED = "factor_failed"
    DETAILS_CHANGED = "details_changed"
    ACCOUNT_ADDED = "account_added"
    FACILITY_ADDED = "facility_added"
    FACILITY_CHANGED = "facility_changed"
    KEY_ISSUED = "key_issued"
    KEY_REVOKED = "key_revoked"
    ERASED = "erased"
    KEYS_ROTATED = "keys_rotated"
    GATEWAY_ASKED = "gateway_asked"


@dataclass(frozen=True)
class Actor:
    """Who did it. `label` is what the patient's "who looked" page may show."""

    kind: str
    id: str = ""
    label: str = ""

    @classmethod
    def person(cls, user: User) -> Actor:
        """Somebody signed in, for herself or another; by the name she gave, else by her address."""
        return cls("person", str(user.pk), _name_of(user))

    @classmethod
    def staff(cls, user: User, facility: Facility) -> Actor:
        """Somebody at a facility. Patients read the facility's name; the id tells the facility who it was."""
        return cls("staff", str(user.pk), facility.name)

    @classmethod
    def facility(cls, facility: Facility) -> Actor:
        """A facility's own tools, by its key."""
        return cls("facility", str(facility.pk), facility.name)

    @classmethod
    def guest(cls, session_id: UUID, declared: str) -> Actor:
        """Somebody in a share session, by what she said of herself, which nobody proved."""
        return cls("guest", str(session_id), declared)

    @classmethod
    def machine(cls, capability_id: UUID, made_by: str) -> Actor:
        """A machine with a capability, by whoever made that."""
        return cls("machine", str(capability_id), made_by)

    @classmethod
    def operator(cls) -> Actor:
        """Whoever has the command line of this site."""
        return cls("operator")

    @classmethod
    def system(cls) -> Actor:
        """The site itself, following what somebody decided earlier."""
        return cls("system")

    @classmethod
    def nobody(cls) -> Actor:
        """Somebody not signed in."""
        return cls("nobody")


def _name_of(user: User) -> str:
    """The provider's name, else the record's, else the e-mail address."""
    provider = ProviderProfile.objects.filter(user=user).exclude(name="").values_list("name", flat=True).first()
    record = PatientRecord.objects.filter(user=user).exclude(name="").values_list("name", flat=True).first()
    return provider or record or user.email


def record(
    action: Action,
    *,
    actor: Actor,
    facility_id: UUID | None = None,
    record_id: UUID | None = None,
    study_id: UUID | None = None,
    way: str = "",
    **detail: DetailValue,
) -> AuditEvent:
    """Append one event to the deed's own transaction; RuntimeError outside one.

    `detail` holds counts, ids and reasons: never a name, a birth date, a code or a patient ID.
    """
    _require_transaction()
    written = event(
        action, actor=actor, facility_id=facility_id, record_id=record_id, study_id=study_id, way=way, **detail
    )
    insert([written])
    return written


def record_all(events: Iterable[AuditEvent]) -> None:
    """Append many events, made by `event`, in one statement. RuntimeError outside the deed's transaction."""
    _require_transaction()
    insert(list(events))


def event(
    action: Action,
    *,
    actor: Actor,
    facility_id: UUID | None = None,
    record_id: UUID | None = None,
    study_id: UUID | None = None,
    way: str = "",
    **detail: DetailValue,
) -> AuditEvent:
    """What `record` appends, not written yet: for `record_all`."""
    return AuditEvent(
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:200],
        facility_id=facility_id,
        record_id=record_id,
        study_id=study_id,
        way=way,
        request_id=request_id.get(),
        detail=detail,
    )


def seen(key: str, within: timedelta) -> bool:
    """Whether `once` has already said yes for this key within the window. Reads only, so it is cheap to ask first."""
    mark = AttemptCounter.objects.filter(key=counter_key("audit", key, within))
    return mark.filter(since__gt=timezone.now() - within).exists()


def once(key: str, within: timedelta) -> bool:
    """True for exactly one caller per key and window, for events that would drown the reader if repeated.

    Shares the caller's transaction, like `record`: if the event is rolled back, so is the mark.
    """
    _require_transaction()
    now, digest = timezone.now(), counter_key("audit", key, within)
    if AttemptCounter.objects.filter(key=digest, since__lte=now - within).update(since=now):
        return True
    _, created = AttemptCounter.objects.get_or_create(key=digest, defaults={"since": now, "count": 1})
    return created


def once_each(keys: Iterable[str], within: timedelta) -> set[str]:
    """Those of `keys` for which `once` would say yes, in a few statements however many they are.

    Costs one read when all were said yes to before. The marks share the caller's transaction.
    """
    _require_transaction()
    now = timezone.now()
    digests = {counter_key("audit", key, within): key for key in keys}
    marks = AttemptCounter.objects.filter(key__in=digests)
    fresh = set(marks.filter(since__gt=now - within).values_list("key", flat=True))
    if not (open_ones := digests.keys() - fresh):
        return set()
    # Whoever comes at the same moment waits at these rows, and finds them fresh.
    stale = [AttemptCounter(key=key, since=now - within, count=1) for key in sorted(open_ones)]
    AttemptCounter.objects.bulk_create(stale, ignore_conflicts=True)
    waiting = marks.filter(key__in=open_ones, since__lte=now - within).order_by("key").select_for_update()
    mine = list(waiting.values_list("key", flat=True))
    AttemptCounter.objects.filter(key__in=mine).update(since=now)
    return {digests[key] for key in mine}


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit events share the transaction of what they record: open one around both")
