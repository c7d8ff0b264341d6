"""What else a DICOM file may be: its first 128 bytes are free for anything (PS3.10 §7.1, CVE-2019-11687)."""

from __future__ import annotations

import re

_PREAMBLES = {
    b"MZ": "windows program",
    b"\x7fELF": "linux program",
    b"\xfe\xed\xfa\xce": "mac program",
    b"\xfe\xed\xfa\xcf": "mac program",
    b"\xce\xfa\xed\xfe": "mac program",
    b"\xcf\xfa\xed\xfe": "mac program",
    b"\xca\xfe\xba\xbe": "mac program",
    b"#!": "script",
    b"PK": "zip",
}
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:html|!doctype|!--|head|body|script|svg|iframe|\?xml)", re.I)


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
    return "markup" if _MARKUP.match(preamble) else None
