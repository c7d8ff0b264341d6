"""What a data set says of its pixels, and the bytes of one frame (PS3.3 §C.7.6.3, PS3.5 §8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from pydicom.encaps import get_frame

from studies.dicom import Opened, integer, text, value_of
from studies.refusals import CannotShow

# One decoded frame. The largest detectors make 60 MB; a child has 2 GiB and needs some copies of it.
FRAME_BUDGET = 256 << 20

_KEYWORDS = {
    "rows": "Rows",
    "columns": "Columns",
    "samples": "SamplesPerPixel",
    "allocated": "BitsAllocated",
    "stored": "BitsStored",
    "high_bit": "HighBit",
    "signed": "PixelRepresentation",
    "planar": "PlanarConfiguration",
    "frames": "NumberOfFrames",
}
_FLOAT_BITS = {"float": 32, "double": 64}


@dataclass(frozen=True)
class Shape:
    """The image pixel description, checked: every number is one that a decoder here understands."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def subsampled(self) -> bool:
        """Whether native pixels share their chroma in pairs (§C.7.6.3.1.2)."""
        return self.photometric == "YBR_FULL_422" and self.samples == 3

    @property
    def frame_bits(self) -> int:
        """The size of one native frame."""
        return self.rows * self.columns * (2 if self.subsampled else self.samples) * self.allocated

    @property
    def frame_bytes(self) -> int:
        return -(-self.frame_bits // 8)


def described(opened: Opened) -> Shape:
    """Read and check the description before a decoder sees a byte; raise `CannotShow`."""
    said = {name: integer(opened.dataset, keyword) for name, keyword in _KEYWORDS.items()}
    samples = said["samples"] or 1
    allocated = said["allocated"] or _FLOAT_BITS.get(opened.pixels, 0)
    stored = said["stored"] or allocated
    shape = Shape(
        rows=said["rows"] or 0,
        columns=said["columns"] or 0,
        samples=samples,
        allocated=allocated,
        stored=stored,
        high_bit=stored - 1 if said["high_bit"] is None else said["high_bit"],
        signed=said["signed"] == 1,
        photometric=text(opened.dataset, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB"),
        planar=said["planar"] == 1,
        frames=max(1, said["frames"] or 1),
    )
    _check(shape)
    return shape


def _check(shape: Shape) -> None:
    if shape.rows < 1 or shape.columns < 1:
        raise CannotShow("pixels")
    if shape.samples not in (1, 3) or shape.allocated not in (1, 8, 16, 32, 64):
        raise CannotShow("pixels")
    if not 1 <= shape.stored <= shape.allocated or not shape.stored - 1 <= shape.high_bit < shape.allocated:
        raise CannotShow("pixels")
    if shape.rows * shape.columns * shape.samples * max(8, shape.allocated) // 8 > FRAME_BUDGET:
        raise CannotShow("too large")


def frame_content(opened: Opened, shape: Shape, frame: int) -> bytes:
    """The stored bytes of one frame (0-based): native, or one compressed bit stream."""
    if not 0 <= frame < shape.frames:
        raise CannotShow("no such frame")
    if opened.encapsulated:
        return _compressed(opened, shape, frame)
    # Frames of 1-bit pixels follow each other without padding, so one may begin within a byte (PS3.5 §8.1.1).
    first, last = frame * shape.frame_bits // 8, -(-(frame + 1) * shape.frame_bits // 8)
    content = _bytes(opened, shape, first, last)
    if len(content) < last - first:
        raise CannotShow("incomplete")
    return content


def _bytes(opened: Opened, shape: Shape, first: int, last: int) -> bytes:
    """Bytes of the pixel value, put in order where 8-bit pixels travel in big endian words (PS3.5 §8.1.2)."""
    swapped = opened.pixel_vr == "OW" and not opened.little_endian and shape.allocated == 8
    start, end = (first & ~1, last + 1 & ~1) if swapped else (first, last)
    opened.source.seek(opened.pixel_offset + start)
    content = opened.source.read(max(0, min(end, opened.pixel_length) - start))
    if swapped:
        content = np.frombuffer(content[: len(content) & ~1], "<u2").byteswap().tobytes()
    return content[first - start : last - start]


def _compressed(opened: Opened, shape: Shape, frame: int) -> bytes:
    """PS3.5 §A.4: by offset table where there is one, else by counting fragments."""
    tables = [value_of(opened.dataset, keyword) for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    offsets = (tables[0], tables[1]) if all(isinstance(table, bytes) for table in tables) else None
    opened.source.seek(opened.pixel_offset)
    try:
        content = get_frame(opened.source, frame, number_of_frames=shape.frames, extended_offsets=offsets)
    except (ValueError, OSError, StopIteration, struct.error) as error:
        raise CannotShow("incomplete") from error
    if not content:
        raise CannotShow("incomplete")
    return content
