"""The pages of a PDF as pictures and as text, so that a report is read on any phone and by any screen reader.

Runs inside the sandbox only: a PDF is a program that draws, and a stranger wrote it. PDFium is built here without
a script engine, so that nothing in a document acts by itself; nobody opens what it links to or carries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any, Final

from PIL import Image
from pypdfium2 import PdfDocument, PdfiumError, PdfPage, PdfTextObj, PdfTextPage, raw

from studies.refusals import CannotShow
from studies.sandbox.registry import Answer, preload, task

MOST_PAGES: Final = 200
WIDTH: Final = 1400
"""Of a picture, in pixels: sharp on a phone, and on a wide screen at twice the pixels."""
MOST_HEIGHT: Final = 8000
TEXT_LIMIT: Final = 50_000
"""Characters a page. One full of small print has some 10 000."""
COLOURS: Final = 4096

# PDFium writes U+0002 or U+FFFE for a hyphen with which a line ends, and no line end after it.
_HYPHEN = re.compile("[\x02\ufffe](?:\r?\n)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LATIN = frozenset(bytes(range(256)).decode("cp1252", "ignore") + "\x02\ufffeﬁﬂ")
_SYMBOLS = ("Symbol", "ZapfDingbats")
_SAMPLE = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 50 20]/Resources<</Font<</F 5 0 R>>>>/Contents 4 0 R>>endobj
4 0 obj<</Length 31>>stream
BT /F 9 Tf 9 9 Td (Hello) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""


@dataclass(frozen=True)
class Page:
    """One page: the size of its picture in pixels; its text, '' for a scan; whether the picture has every letter."""

    width: int
    height: int
    text: str
    whole: bool


@task("pdf_facts")
def _facts(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """How many pages there are, what is known of the first `most`, and their texts in UTF-8."""
    document = opened(blobs[0])
    pages = [described(document, number) for number in range(1, min(args["most"], len(document)) + 1)]
    said = [{"width": page.width, "height": page.height, "whole": page.whole} for page in pages]
    return {"count": len(document), "pages": said}, [page.text.encode() for page in pages]


@task("pdf_page")
def _page(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Page `number` as one WebP, with its size."""
    picture = drawn(opened(blobs[0]), args["number"])
    return {"width": picture.width, "height": picture.height}, [encoded(picture)]


def opened(content: bytes) -> PdfDocument:
    """Open a PDF. Raises CannotShow when it is damaged, locked, or beyond what is shown."""
    try:
        document = PdfDocument(content)
    except PdfiumError as error:
        locked = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise CannotShow("locked" if locked else "unreadable") from error
    if document.get_formtype() == raw.FORMTYPE_XFA_FULL:
        raise CannotShow("not drawn")  # its pages say "please wait", and a script would draw the others
    if len(document) > MOST_PAGES:
        raise CannotShow("many pages")
    document.init_forms()  # else what somebody filled in would be missing
    return document


def described(document: PdfDocument, number: int) -> Page:
    """Say what page `number` (from 1) holds."""
    page = document[number - 1]
    scale = _scale(page)
    width, height = (math.ceil(side * scale) for side in page.get_size())
    # What is filled in or noted on it becomes text like any other, once the page is read anew.
    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    reading = document[number - 1].get_textpage()
    return Page(width, height, text_of(reading), _is_whole(reading))


def drawn(document: PdfDocument, number: int) -> Image.Image:
    """Draw page `number` (from 1) with its notes and what is filled in. Raises CannotShow."""
    if not 1 <= number <= len(document):
        raise CannotShow("no such page")
    page = document[number - 1]
    picture: Image.Image = page.render(scale=_scale(page)).to_pil()
    return picture


def text_of(reading: PdfTextPage) -> str:
    """The text of a page line by line, in the order in which it was written."""
    said = _HYPHEN.sub("-\n", reading.get_text_bounded())
    text = _CONTROL.sub("", said.replace("\r\n", "\n").replace("\r", "\n"))
    flowing = "\n".join(_flow([line.strip() for line in text.split("\n")]))
    return re.sub(r"\n{3,}", "\n\n", flowing).strip()[:TEXT_LIMIT]


def _flow(lines: list[str]) -> Iterator[str]:
    """Undo the breaks that only the paper's width made, for a phone is narrower: after a full line, before a small
    letter. No letter is changed, a hyphen at the break neither: nobody knows which are part of the word."""
    full = 0.7 * max(map(len, lines))
    flowing = ""
    for last, line in pairwise(["", *lines]):
        if line[:1].islower() and len(last) >= full:
            flowing += line if last.endswith("-") else f" {line}"
        else:
            yield flowing
            flowing = line
    yield flowing


def _is_whole(reading: PdfTextPage) -> bool:
    """Whether the picture shows every letter. Of fonts that a document does not bring, only the Latin ones and
    symbols are built in; letters of others would silently be missing."""
    for index in range(min(reading.count_chars(), TEXT_LIMIT)):
        letter = chr(raw.FPDFText_GetUnicode(reading, index))
        if letter not in _LATIN and not _has_font(reading.get_textobj(index)):
            return False
    return True


def _has_font(written: PdfTextObj | None) -> bool:
    if written is None:  # a letter that PDFium made up, as between words
        return True
    font = written.get_font()
    return font.is_embedded or font.get_base_name() in _SYMBOLS


def encoded(picture: Image.Image) -> bytes:
    """A WebP: exact for print on paper, where that is smaller and sharper; lossy where there are photographs."""
    buffer = BytesIO()
    picture.save(buffer, "WEBP", method=2, lossless=_is_print(picture), quality=80)
    return buffer.getvalue()


def _is_print(picture: Image.Image) -> bool:
    """Whether a page has few colours, and mostly that of its paper."""
    colours = picture.getcolors(COLOURS) or []
    return max((count for count, _ in colours), default=0) > 0.7 * picture.width * picture.height


def _scale(page: PdfPage) -> float:
    """Pixels a point: the page's own unit, whatever the document says, must not make a picture too large."""
    width, height = page.get_size()
    return float(min(WIDTH / width, MOST_HEIGHT / height))


@preload
def _warm() -> None:
    """Draw, read and write one page, so that nothing is loaded after files are out of reach."""
    document = opened(_SAMPLE)
    described(document, 1)
    encoded(drawn(document, 1))
    Image.new("L", (1, 1)).save(BytesIO(), "WEBP")
