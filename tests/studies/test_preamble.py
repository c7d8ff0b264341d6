from __future__ import annotations

import pytest

from studies.receiving.preamble import may_be_dicom, preamble_kind


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
        (b"<title>", "markup"),
        (b"<a href=", "markup"),
        (b"<?php", "markup"),
        ("\ufeff<html>".encode("utf-16-le"), "markup"),
        (b"\xbe\xba\xfe\xca", "mac program"),
        (b"@echo off", "script"),
        (b"L\0\0\0\x01\x14\x02\0", "windows shortcut"),
    ],
)
def test_a_preamble_that_is_another_file_is_named(start: bytes, kind: str) -> None:
    assert preamble_kind(start.ljust(128, b"\0")) == kind


@pytest.mark.parametrize("start", [b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"a < b", b"<abc>", b"DICOM by PK"])
def test_zeros_tiff_and_plain_text_are_harmless(start: bytes) -> None:
    assert preamble_kind(start.ljust(128, b"\0")) is None


@pytest.mark.parametrize(
    "head", [b"\x02\0\x10\0UI", b"\x08\0\5\0CS", b"\0\x08\0\5CS", b"MZ".ljust(128, b"\0") + b"DICM"]
)
def test_dicom_has_its_mark_or_begins_with_group_2_or_8(head: bytes) -> None:
    assert may_be_dicom(head)


@pytest.mark.parametrize(
    "head", [b"", b"MZ\x90\0\xc8\0\0\0", b"PK\3\4\n\0\0\0", b"\x7fELF\2\1\1\0", b"#!\n\n\4\0\0\0", b"DICM"]
)
def test_what_begins_otherwise_is_no_dicom(head: bytes) -> None:
    assert not may_be_dicom(head)
