"""The keywords of the data dictionary (PS3.6), for who writes headers without a library that reads them."""

from __future__ import annotations

from typing import Any, Final

from pydicom.datadict import DicomDictionary, RepeatersDictionary

from studies.sandbox.registry import Answer, task

KEYWORD: Final = 4  # where it stands in an entry of pydicom's


@task("keywords")
def _keywords(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Every keyword by its tag; those of groups that repeat by a tag such as "60xx3000"."""
    said = {f"{tag:08X}": entry[KEYWORD] for tag, entry in DicomDictionary.items()}
    return said | {tag: entry[KEYWORD] for tag, entry in RepeatersDictionary.items()}, []
