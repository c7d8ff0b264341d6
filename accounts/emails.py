"""Letters. Their subjects name no person, no study and no facility: a lock screen shows them to anybody."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from accounts.models import User


def write(user: User, letter: str, **context: Any) -> None:
    """Send the letter `<letter>_subject.txt` and `<letter>_message.txt` to a person's address.

    Call it after commit: a letter must not tell of what was rolled back.
    """
    context |= {"site_name": "Lightbox", "site_url": settings.PUBLIC_URL}
    subject = " ".join(render_to_string(f"{letter}_subject.txt", context).split())
    EmailMessage(subject, render_to_string(f"{letter}_message.txt", context), to=[user.email]).send()
