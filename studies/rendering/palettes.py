"""From an index to a colour, by three tables that may be written in segments (PS3.3 §C.7.6.3.1.5, §C.7.9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from studies.dicom import numbers, value_of
from studies.refusals import CannotShow

Table = NDArray[np.int64]
COLOURS = ("Red", "Green", "Blue")
MOST_ENTRIES = 1 << 16
DISCRETE, LINEAR, INDIRECT = 0, 1, 2


def coloured(indices: NDArray[Any], dataset: Dataset, little_endian: bool) -> NDArray[np.uint8]:
    """[…, 3] of the colours of whole-number indices; those beside the table have that of its nearest end. Raises
    CannotShow where the tables cannot be read."""
    tables = [_table(dataset, colour, little_endian) for colour in COLOURS]
    deep = max(bits for _, _, bits in tables) > 8 and max(table.max() for _, table, _ in tables) > 255
    shown = np.empty((*indices.shape, 3), np.uint8)
    for place, (first, table, _) in enumerate(tables):
        eight = table >> 8 if deep else table  # some say sixteen bits and use eight
        shown[..., place] = eight.clip(0, 255)[np.clip(indices - first, 0, len(table) - 1)]
    return shown


def first_of(dataset: Dataset) -> tuple[int, int]:
    """How many entries the tables have, and the index of the first; 0 for none."""
    descriptor = numbers(dataset, "RedPaletteColorLookupTableDescriptor")
    return (int(descriptor[0]) or MOST_ENTRIES, int(descriptor[1])) if len(descriptor) == 3 else (0, 0)


def _table(dataset: Dataset, colour: str, little_endian: bool) -> tuple[int, Table, int]:
    """The first index, the table, and its bits."""
    descriptor = numbers(dataset, f"{colour}PaletteColorLookupTableDescriptor")
    if len(descriptor) != 3:
        raise CannotShow("pixels")
    entries, first, bits = int(descriptor[0]) or MOST_ENTRIES, int(descriptor[1]), int(descriptor[2])
    said = value_of(dataset, f"{colour}PaletteColorLookupTableData")
    if said:
        table = _words(said, bits, little_endian, entries)
    else:
        segments = value_of(dataset, f"Segmented{colour}PaletteColorLookupTableData")
        table = _expanded(_words(segments, bits, little_endian)) if segments else np.empty(0, np.int64)
    if not 0 < entries <= MOST_ENTRIES or not len(table):
        raise CannotShow("pixels")
    return first, table[:entries], bits


def _words(said: Any, bits: int, little_endian: bool, entries: int = 0) -> Table:
    """The numbers of a value; those of eight bits lie by two in a word, or in one each."""
    if not isinstance(said, bytes):
        return np.atleast_1d(np.asarray(said)).astype(np.int64)
    words = np.frombuffer(said[: len(said) & ~1], "<u2" if little_endian else ">u2")
    if bits > 8 or (entries and len(said) >= 2 * entries):
        return words.astype(np.int64)
    return words.astype("<u2").view(np.uint8).astype(np.int64)


def _expanded(words: Table) -> Table:
    """Discrete, linear and indirect segments written out."""
    values: list[int] = []
    at = 0
    try:
        while at < len(words) - 1 and len(values) < MOST_ENTRIES:
            at = _segment(words, at, values)
    except IndexError as error:
        raise CannotShow("pixels") from error
    return np.array(values, np.int64)


def _segment(words: Table, at: int, values: list[int]) -> int:
    """Write out the segment at a place; returns where the next one begins."""
    opcode, count = int(words[at]), int(words[at + 1])
    if opcode == DISCRETE:
        values += words[at + 2 : at + 2 + count].tolist()
        return at + 2 + count
    if opcode == LINEAR:
        begin, end = (values[-1] if values else 0), int(words[at + 2])
        values += np.round(np.linspace(begin, end, count + 1)[1:]).astype(int).tolist()
        return at + 3
    if opcode == INDIRECT:
        again = (int(words[at + 2]) | int(words[at + 3]) << 16) // 2  # an offset in bytes
        for _ in range(count):
            if not 0 <= again < at or words[again] == INDIRECT or len(values) >= MOST_ENTRIES:
                break
            again = _segment(words, again, values)
        return at + 4
    raise IndexError("no such segment")
