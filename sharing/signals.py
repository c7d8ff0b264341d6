"""What others tell: a study is ready, an address is proved. Connected by `SharingConfig.ready`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import outbox
from accounts.models import User
from sharing import disagreements, grants, guests, merging, notices, openings, releases
from studies.models import Merge, Study
from studies.signals import contradicted, exam_moved, merged, parted, report_written, study_ready, study_shown


@receiver([study_shown, study_ready], dispatch_uid="follow")
def follow(study_id: UUID, **_: Any) -> None:
    """Offer it to whoever has claimed its patient."""
    releases.follow(Study.objects.get(pk=study_id))


@receiver(contradicted, dispatch_uid="hold")
def hold(study_id: UUID, **_: Any) -> None:
    """Take it off every screen, and ask the desk."""
    disagreements.hold(Study.objects.select_related("patient").get(pk=study_id))


@receiver(report_written, dispatch_uid="news")
def note_news(study_id: UUID, **_: Any) -> None:
    """Open what waited for it, and tell of it once it may be read."""
    releases.reconsider(Study.objects.select_related("facility", "patient").get(pk=study_id))
    notices.note_news(study_id)


@receiver(exam_moved, dispatch_uid="exam moved")
def note_exam(study_id: UUID, **_: Any) -> None:
    """Open what waited for a report that nobody will write."""
    releases.reconsider(Study.objects.select_related("facility", "patient").get(pk=study_id))


@receiver(merged, dispatch_uid="merged")
def bring(merge: Merge, **_: Any) -> None:
    """What she has claimed under one number she has under both."""
    merging.bring(merge)


@receiver(parted, dispatch_uid="parted")
def part(merge: Merge, **_: Any) -> None:
    """What came by a merge goes with it."""
    merging.part(merge)


@receiver(outbox.settled, dispatch_uid="notices")
def note_outcome(message_id: UUID, outcome: str, trouble: str, **_: Any) -> None:
    """Write down what became of a notice."""
    notices.note_outcome(message_id, outcome, trouble)


@receiver(user_logged_in, dispatch_uid="adopt at sign-in")
def adopt_at_sign_in(user: User, **_: Any) -> None:
    """Hand over what was lent to her address before she had an account."""
    grants.adopt(user)


@receiver(user_logged_out, dispatch_uid="close at sign-out")
def close_at_sign_out(request: HttpRequest | None, **_: Any) -> None:
    """Whoever signs out leaves: what was opened by link in that browser closes with her session."""
    session = guests.session_of(request) if request is not None else None
    if session is not None:
        openings.close(session)


@receiver(email_confirmed, dispatch_uid="adopt at proof")
def adopt_at_proof(email_address: EmailAddress, **_: Any) -> None:
    """The same for a further address."""
    grants.adopt(email_address.user)
