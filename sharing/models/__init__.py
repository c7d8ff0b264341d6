"""Who may see what, from when until when."""

from __future__ import annotations

from sharing.models.cases import Case
from sharing.models.claiming import ClaimCode, Contact, Link, Notice
from sharing.models.lending import (
    Capability,
    Grant,
    GrantItem,
    GrantQuerySet,
    Opening,
    ShareLink,
    ShareSession,
)
from sharing.models.offers import Consent, ConsentText, Release, ReleaseRule

__all__ = [
    "Capability",
    "Case",
    "ClaimCode",
    "Consent",
    "ConsentText",
    "Contact",
    "Grant",
    "GrantItem",
    "GrantQuerySet",
    "Link",
    "Notice",
    "Opening",
    "Release",
    "ReleaseRule",
    "ShareLink",
    "ShareSession",
]
