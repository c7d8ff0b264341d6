"""Headers as DICOM JSON, asked of the sandbox: one object for each instance, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Sequence
from typing import Final

from studies import sandbox
from studies.models import Instance
from studies.sandbox import SandboxDied
from studies.store import objects

BATCH: Final = 50
"""Headers that one child reads."""
SECONDS: Final = 30
RESULT_LIMIT: Final = 80 * 2**20


def ask(
    batch: Sequence[Instance],
    bases: Sequence[str],
    *,
    lane: str = sandbox.READING,
    whose: Hashable = None,
    patience: float | None = None,
) -> list[bytes]:
    """A JSON object (PS3.18 §F.2) for each instance, whose bulk data are found under its base; empty for one that
    cannot be read. Nobody has looked at it yet: see `is_object`. Raises what `sandbox.run` raises."""

    def read() -> Iterator[bytes]:
        with objects.Shelf() as shelf:
            for one in batch:
                yield shelf.read(one.pack, one.offset, one.pixel_offset or one.length)

    said = sandbox.run(
        "metadata",
        {"bases": list(bases)},
        read(),
        seconds=SECONDS,
        result_limit=RESULT_LIMIT,
        lane=lane,
        whose=whose,
        patience=patience,
    ).blobs
    if len(said) != len(batch):
        raise SandboxDied("its answer makes no sense")
    return said


def is_object(said: bytes) -> bool:
    """Whether it is what it should be: it was written by whom a stranger's file may have taken over."""
    try:
        return isinstance(json.loads(said.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        return False


def little(one: Instance) -> bytes:
    """What the catalogue knows of an instance whose header nobody can read."""
    uids = {
        "00080016": one.sop_class_uid,
        "00080018": one.sop_uid,
        "0020000D": one.study.study_uid,
        "0020000E": one.series.series_uid,
        "00083002": one.transfer_syntax_uid,
    }
    return json.dumps({tag: {"vr": "UI", "Value": [uid]} for tag, uid in sorted(uids.items())}).encode()


def address(one: Instance, base: str) -> str:
    """Where the bulk data of an instance are found under the base of a DICOMweb service."""
    return f"{base}/studies/{one.study.study_uid}/series/{one.series.series_uid}/instances/{one.sop_uid}/bulkdata"
