"""Who asks for what is not hers: each refusal in a log that names nobody, and a word when one is refused too often.

Absent and forbidden look alike to whoever asks; here they are counted alike too, for a guess looks like either.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import audit, throttle
from accounts.audit import Action
from accounts.errors import PortalError, TooManyTries
from portal import delivery
from sharing.viewers import Viewer

REFUSALS: Final = frozenset({403, 404})
TOO_MANY, WITHIN = 50, timedelta(minutes=10)

logger = logging.getLogger("lightbox.denials")


def note(request: HttpRequest, status: int) -> None:
    """Write a refusal down: which route, of what and by whom as digests that tell one from another and no more.

    Only what somebody known asks for by an id: whoever is nobody meets the sign-in, and codes are counted elsewhere.
    """
    match = request.resolver_match
    if status not in REFUSALS or match is None or not match.kwargs:
        return
    try:
        viewer = delivery.viewer_of(request)
    except (PortalError, DatabaseError, AttributeError):  # nobody, or refused before anybody was asked who is there
        return
    about = " ".join(_digest(str(value)) for _name, value in sorted(match.kwargs.items()))
    logger.info("%s %s by %s of %s", match.url_name, status, _digest(viewer.key), about)
    try:
        _count(viewer, match.url_name or "")
    except DatabaseError:  # the refusal stands whether or not it can be counted
        logger.warning("a refusal was not counted: the database is away")


def _count(viewer: Viewer, route: str) -> None:
    """Count it; once too many within ten minutes, the record of deeds says so, and the log as a warning."""
    try:
        throttle.hit("denials", viewer.key, cap=TOO_MANY, within=WITHIN)
    except TooManyTries:
        with transaction.atomic():
            if audit.once(f"denials|{viewer.key}", WITHIN):
                audit.record(Action.REFUSED, actor=viewer.actor, way="page", route=route, count=TOO_MANY)
                logger.warning("%s was refused %s times within ten minutes", _digest(viewer.key), TOO_MANY)


def _digest(text: str) -> str:
    return salted_hmac("lightbox.denials", text, algorithm="sha256").hexdigest()[:12]
