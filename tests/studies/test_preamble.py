from __future__ import annotations

import pytest

from studies.preamble import preamble_kind


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"MZ\x90\0", "windows program"),
        (b"\x7fELF\x02", "linux program"),
        (b"\xcf\xfa\xed\xfe", "mac program"),
        (b"\xca\xfe\xba\xbe", "mac program"),
        (b"#!/bin/sh\n", "script"),
        (b"PK\x03\x04", "zip"),
        (b"%PDF-1.7", "pdf"),
        (b"\0\0 %PDF-1.7", "pdf"),
        (b"<html>", "markup"),
        (b" \r\n\t<!DocType html>", "markup"),
        (b"\xef\xbb\xbf<SCRIPT>", "markup"),
        (b"<svg xmlns=", "markup"),
    ],
)
def test_a_preamble_that_is_another_file_is_named(start: bytes, kind: str) -> None:
    assert preamble_kind(start.ljust(128, b"\0")) == kind


@pytest.mark.parametrize("start", [b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"a < b", b"<b>", b"DICOM by PK"])
def test_zeros_tiff_and_plain_text_are_harmless(start: bytes) -> None:
    assert preamble_kind(start.ljust(128, b"\0")) is None
