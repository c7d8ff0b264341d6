"""Counts in what operators read: one object is, two objects are."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """'1 object', '2 objects'; `many` for what does not just take an s."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
