"""Print a report's text as a PDF for somebody who wants paper. The text file beside it is the faithful one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Final

from django.utils.translation import gettext
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FONT: Final = "Vera"
SIZE, LEADING, MARGIN = 10.5, 15.0, 64.0  # points
HEADING_SIZE, SMALL = 14.0, 8.5
MISSING: Final = "◊"
TAB: Final = "    "


def print_text(text: str, heading: str, lines: Sequence[str]) -> bytes:
    """Return `text` as an A4 PDF under a heading and a few lines that say what it is.

    Characters that the font does not have become ◊, and the foot of each page says so.
    """
    out = BytesIO()
    # Invariant: the same text gives the same bytes, so that an archive has the same sums each time.
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(heading)
    shown = printable(text)
    page = _Page(canvas, incomplete=shown != _expanded(text))
    page.write([printable(heading)], HEADING_SIZE)
    page.write([printable(line) for line in lines], SMALL)
    page.write([""], SIZE)
    page.write(shown.split("\n"), SIZE)
    page.end()
    canvas.save()
    return out.getvalue()


def printable(text: str) -> str:
    """Return `text` with what the font cannot show replaced; line ends are \\n and tabs spaces."""
    glyphs = _font().face.charToGlyph
    return "".join(letter if letter == "\n" or ord(letter) in glyphs else MISSING for letter in _expanded(text))


def wrap(line: str, size: float, width: float) -> Iterator[str]:
    """Yield `line` in pieces of at most `width` points, broken between words where that can be.

    The blanks it begins with are kept, and begin each piece: tables and lists stay readable.
    """
    indent = line[: len(line) - len(line.lstrip(" "))][:20]
    piece = indent
    for word in line.split():
        longer = piece + (" " if piece.strip() else "") + word
        if _width(longer, size) <= width:
            piece = longer
            continue
        if piece.strip():
            yield piece
        *full, piece = _cut(indent + word, size, width)
        yield from full
    yield piece


def _cut(word: str, size: float, width: float) -> Iterator[str]:
    """Cut a word that no line can hold. The font has no kerning: a word is as wide as its letters."""
    start, used = 0, 0.0
    for at, letter in enumerate(word):
        used += _width(letter, size)
        if used > width and at > start:
            yield word[start:at]
            start, used = at, _width(letter, size)
    yield word[start:]


class _Page:
    def __init__(self, canvas: Canvas, *, incomplete: bool) -> None:
        self._canvas = canvas
        self._incomplete = incomplete
        self._at = A4[1] - MARGIN

    def write(self, lines: Sequence[str], size: float) -> None:
        for line in lines:
            for piece in wrap(line, size, A4[0] - 2 * MARGIN):
                self._put(piece, size)

    def _put(self, piece: str, size: float) -> None:
        if self._at < MARGIN:
            self.end()
            self._at = A4[1] - MARGIN
        self._canvas.setFont(FONT, size)
        self._canvas.drawString(MARGIN, self._at, piece)
        self._at -= LEADING

    def end(self) -> None:
        """Write the foot and go to the next page."""
        self._canvas.setFont(FONT, SMALL)
        self._canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, str(self._canvas.getPageNumber()))
        if self._incomplete:
            note = gettext("Some characters cannot be printed here; the text file has them.")
            self._canvas.drawString(MARGIN, MARGIN / 2, printable(note))
        self._canvas.showPage()


def _expanded(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)  # the font has ö, and no umlaut to put on an o
    return composed.replace("\r\n", "\n").replace("\r", "\n").replace("\t", TAB)


def _width(text: str, size: float) -> float:
    return float(_font().stringWidth(text, size))


@lru_cache(maxsize=1)
def _font() -> TTFont:
    """The font that comes with reportlab (Bitstream Vera; its licence lets a document embed it)."""
    font = TTFont(FONT, "Vera.ttf")
    pdfmetrics.registerFont(font)
    return font
