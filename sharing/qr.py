"""QR codes for paper and screens."""

from __future__ import annotations

from typing import Final

import segno
from django.utils.safestring import SafeString, mark_safe

QUIET_ZONE: Final = 4  # modules of white around a QR code (ISO/IEC 18004 §9.1)


def qr(content: str) -> SafeString:
    """A QR code as SVG, black on white whatever the page's colours are."""
    drawn = segno.make(content, error="m", micro=False)
    svg = drawn.svg_inline(border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308 - drawn by segno from squares, no text in it
