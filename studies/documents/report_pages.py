"""A PDF report as pages, made in the sandbox when somebody reads it and kept nowhere.

A page costs some 0.2 s of one core, the texts of a whole report some 0.05 s: a patient reads her report a few times
in a life. What a page may cost at most is the sandbox's affair, how many are made at once is decided here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.utils.translation import gettext_lazy as _

from accounts.errors import NotFound, PortalError, Unavailable
from studies import reports, sandbox
from studies.catalog import Picture
from studies.models import Report
from studies.sandbox import Result, SandboxDied, SandboxRefused
from studies.words import sentence

logger = logging.getLogger("lightbox.sandbox")

MOST_PAGES: Final = 200
SECONDS: Final = 8
RESULT_LIMIT: Final = 64 * 2**20
# Each turn holds a whole document in memory, twice; and the sandbox has more to do than this.
TURNS: Final = threading.BoundedSemaphore(2)
PATIENCE: Final = 20.0

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PageView:
    """One page (from 1): the size of its picture, its text line by line ('' for a scan), and whether the picture
    shows every letter."""

    number: int
    width: int
    height: int
    text: str
    whole: bool


@dataclass(frozen=True)
class Pages:
    """How many pages there are, and the first of them; or a sentence that says why none can be shown."""

    count: int = 0
    shown: Sequence[PageView] = ()
    note: str = ""


class PageRefused(PortalError):
    """No picture can be made of a page."""

    status, code = 422, "page_refused"
    message = _("This page cannot be shown here.")
    hint = _("Go back and download the document to read it.")


def pages(report: Report, most: int = MOST_PAGES) -> Pages:
    """The first `most` pages of a report that is a PDF."""
    try:
        return _ask(report, "pdf_facts", {"most": most}, _pages)
    except (PageRefused, Unavailable) as refusal:
        return Pages(note=str(refusal.message))


def page(report: Report, number: int) -> Picture:
    """Page `number` (from 1) of a report that is a PDF, as WebP. Raises NotFound, PageRefused, Unavailable."""
    if not 1 <= number <= MOST_PAGES:
        raise NotFound
    return _ask(report, "pdf_page", {"number": number}, _picture)


def _ask(report: Report, task: str, args: dict[str, Any], understand: Callable[[Result], Answer]) -> Answer:
    with _turn():
        document = b"".join(reports.blocks(report))
        try:
            return understand(
                sandbox.run(task, args, [document], seconds=SECONDS, result_limit=RESULT_LIMIT),
            )
        except SandboxRefused as refusal:
            if refusal.code == "no such page":
                raise NotFound from refusal
            raise PageRefused(sentence(refusal.code)) from refusal
        except SandboxDied as death:
            logger.warning("%s, over a report", death)
            raise PageRefused(sentence("not drawn")) from death


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for a turn, but not for ever: a document that takes long must not take every thread of the site."""
    if not TURNS.acquire(timeout=PATIENCE):
        raise Unavailable(_("Too many pages are being drawn just now."), retry_after=10)
    try:
        yield
    finally:
        TURNS.release()


def _pages(result: Result) -> Pages:
    """Understand an answer that may be a lie. One that makes no sense is as good as none."""
    match result.values:
        case {"count": int(count), "pages": list(said)} if len(said) == len(result.blobs) <= count <= MOST_PAGES:
            shown = [_view(*one) for one in zip(range(1, count + 1), said, result.blobs, strict=False)]
            return Pages(count, shown)
    raise SandboxDied("its answer makes no sense")


def _view(number: int, said: object, text: bytes) -> PageView:
    match said:
        case {"width": int(width), "height": int(height), "whole": bool(whole)}:
            return PageView(number, width, height, text.decode(errors="replace"), whole)
    raise SandboxDied("its answer makes no sense")


def _picture(result: Result) -> Picture:
    match result.values, result.blobs:
        case {"width": int(width), "height": int(height)}, [content]:
            return Picture(iter([content]), "image/webp", len(content), width, height)
    raise SandboxDied("its answer makes no sense")
