"""What templates need and Django's own filters lack."""

from __future__ import annotations

from django import template

register = template.Library()

LONGEST_HEADING = 60


@register.filter
def middle(count: int) -> int:
    """The picture in the middle of a series of `count` (from 1): it shows more than the first."""
    return (count + 1) // 2


@register.filter
def is_heading(paragraph: str) -> bool:
    """Whether a paragraph of a plain-text report is a heading: FINDINGS, or "Impression:" on a line of its own."""
    line = paragraph.strip()
    return "\n" not in line and len(line) <= LONGEST_HEADING and (line.isupper() or line.endswith(":"))
