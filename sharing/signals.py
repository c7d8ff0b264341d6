"""What others tell: a study is ready, an address is proved. Connected by `SharingConfig.ready`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from accounts.models import User
from sharing import grants, releases
from studies.models import Study
from studies.signals import study_ready, study_shown


@receiver([study_shown, study_ready], dispatch_uid="follow")
def follow(study_id: UUID, **_: Any) -> None:
    """Offer it to whoever has claimed its patient."""
    releases.follow(Study.objects.get(pk=study_id))


@receiver(user_logged_in, dispatch_uid="adopt at sign-in")
def adopt_at_sign_in(user: User, **_: Any) -> None:
    """Hand over what was lent to her address before she had an account."""
    grants.adopt(user)


@receiver(email_confirmed, dispatch_uid="adopt at proof")
def adopt_at_proof(email_address: EmailAddress, **_: Any) -> None:
    """The same for a further address."""
    grants.adopt(email_address.user)
