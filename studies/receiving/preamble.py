"""What else a DICOM file may be: its first 128 bytes are free for anything (PS3.10 §7.1, CVE-2019-11687)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

PREAMBLE: Final = 128
MAGIC: Final = b"DICM"

_PREAMBLES = {
    b"MZ": "windows program",
    b"\x7fELF": "linux program",
    b"\xfe\xed\xfa\xce": "mac program",
    b"\xfe\xed\xfa\xcf": "mac program",
    b"\xce\xfa\xed\xfe": "mac program",
    b"\xcf\xfa\xed\xfe": "mac program",
    b"\xca\xfe\xba\xbe": "mac program",
    b"\xbe\xba\xfe\xca": "mac program",
    b"L\0\0\0\x01\x14\x02\0": "windows shortcut",
    b"#!": "script",
    b"@echo": "script",
    b"PK": "zip",
}
# What browsers take for a page without being told (MIME Sniffing §7.1), and what they are told by XML.
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?|svg|(?:html|head|script|iframe|h1|div|font|table|style|title|body|br|[abp])[\s>])",
    re.I,
)
_FIRST_GROUPS = (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")  # in either byte order


def may_be_dicom(head: bytes) -> bool:
    """Whether a file has DICOM's mark behind a preamble, or begins like one without: with group 2 or 8.

    Readers forgive more. But where any element may come first, a program's first bytes are one (`MZ`, `PK`), and
    without a preamble there is nothing to zero.
    """
    return head[128:132] == b"DICM" or head.startswith(_FIRST_GROUPS)


def preamble_kind(preamble: bytes) -> str | None:
    """Name what else a file is by its first 128 bytes, or None.

    Zeros and TIFF headers, which some pathology files carry on purpose (PS3.10 §7.1), are harmless.
    """
    for magic, kind in _PREAMBLES.items():
        if preamble.startswith(magic):
            return kind
    # PDF readers find their header anywhere near the start; browsers skip blanks before markup.
    if b"%PDF" in preamble[:128]:
        return "pdf"
    return "markup" if _MARKUP.match(_narrow(preamble)) else None


def harmless(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A file on its way out: as it was received, but a preamble that makes it something else as well is zeroed.

    On the facility's own disks it was data. In a folder that somebody opens it could run (CVE-2019-11687).
    """
    head, rest = b"", iter(blocks)
    while len(head) < PREAMBLE + len(MAGIC) and (block := next(rest, b"")):
        head += block
    is_dicom = head[PREAMBLE:].startswith(MAGIC)
    yield bytes(PREAMBLE) + head[PREAMBLE:] if is_dicom and preamble_kind(head[:PREAMBLE]) else head
    yield from rest


def _narrow(text: bytes) -> bytes:
    """Text whose byte order mark says that it is UTF-16, as far as it is Latin."""
    return text.replace(b"\0", b"")[2:] if text.startswith((b"\xff\xfe", b"\xfe\xff")) else text
