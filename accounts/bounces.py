"""Letters that come back: delivery status notifications (RFC 3464), as mail servers write them."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from accounts import letters

LARGEST: Final = 2**20  # bytes; a notification is a few thousand
_OURS: Final = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@", re.ASCII)
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


def take(received: bytes) -> bool:
    """Read one message and note which of our letters came back by it; whether there was one.

    What only says that a letter is late, or was delivered, is none; nor is a holiday notice.
    """
    message = message_from_bytes(received[:LARGEST], policy=policy.default)
    if not isinstance(message, EmailMessage) or message.get_content_type() != "multipart/report":
        return False
    status = _failed_with(message)
    letter = _letter_in(message)
    return status is not None and letter is not None and letters.OUT.bounce(letter, status)


def _failed_with(message: EmailMessage) -> str | None:
    """The status of the recipient whom it did not reach, such as 5.1.1; None where it failed for nobody."""
    for part in message.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        for block in part.get_payload():
            if isinstance(block, str) or str(block.get("Action", "")).strip().lower() != "failed":
                continue
            status = _STATUS.search(str(block.get("Status", "")))
            return status[0] if status else "5.0.0"
    return None


def _letter_in(message: EmailMessage) -> UUID | None:
    """Which letter came back, by the Message-ID in what is returned of it."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            said = " ".join(str(returned.get("Message-ID", "")) for returned in part.iter_parts())
        elif part.get_content_type() == "text/rfc822-headers":
            said = part.get_content()
        else:
            continue
        if found := _OURS.search(said):
            return UUID(found[1])
    return None
