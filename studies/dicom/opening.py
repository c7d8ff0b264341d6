"""Open a file up to its pixels, and find where those begin. Raises `NotReadable` and nothing else."""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag

from studies.dicom.values import uid
from studies.refusals import NotReadable

# Invalid values are the daily bread here; pydicom hands them over as text where it can.
config.settings.reading_validation_mode = config.IGNORE

DEFLATED = "1.2.840.10008.1.2.1.99"
PIXELS = {0x7FE00008: "float", 0x7FE00009: "double", 0x7FE00010: "integer"}
UNDEFINED_LENGTH = 0xFFFFFFFF
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"  # as encapsulated pixels end, in little endian always

# A deflated data set may unpack to this much (PS3.5 §A.5 sets no bound); identity stands at its beginning.
INFLATED_LIMIT = 512 << 20
INFLATED_IDENTITY_LIMIT = 64 << 20
INFLATED_RATIO = 200
INFLATED_ALWAYS = 1 << 20


@dataclass
class Opened:
    """A data set up to its pixels, and where the pixels are.

    The pixel value begins at `pixel_offset` of `source` and has `pixel_length` bytes, or `UNDEFINED_LENGTH` when
    encapsulated; `pixels` is "integer", "float", "double", or "" when the data set ends without any.
    """

    dataset: Dataset
    transfer_syntax: str
    little_endian: bool
    source: BytesIO
    pixels: str = ""
    pixel_vr: str = ""
    pixel_offset: int = 0
    pixel_length: int = 0

    @property
    def encapsulated(self) -> bool:
        return self.pixel_length == UNDEFINED_LENGTH


def open_dataset(content: bytes, inflated_limit: int = INFLATED_LIMIT) -> Opened:
    """Read a file, or the beginning of one, up to its pixels; raise `NotReadable`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = _open(content, inflated_limit)
            _find_pixels(opened)
    except NotReadable:
        raise
    except (Exception, RecursionError) as error:
        # pydicom lets out whatever its parts raise over broken bytes: ten types were seen.
        raise NotReadable("unreadable") from error
    if not any(keyword in opened.dataset for keyword in ("SOPClassUID", "StudyInstanceUID", "Rows")):
        raise NotReadable("not dicom")
    return opened


def _open(content: bytes, inflated_limit: int) -> Opened:
    source = BytesIO(content)
    # dcmread would inflate without a bound; a file that does not hold this name is none of these.
    if DEFLATED.encode() in content and (start := _deflated_from(source)):
        source = BytesIO(inflate(content[start:], inflated_limit))
        return Opened(read_dataset(source, False, True, stop_when=_at_pixels), DEFLATED, True, source)
    source.seek(0)
    dataset = dcmread(source, stop_before_pixels=True, force=True)
    syntax = uid(dataset.file_meta, "TransferSyntaxUID")
    return Opened(dataset, syntax, dataset.original_encoding[1] is not False, source)


def _deflated_from(source: BytesIO) -> int:
    """Where the deflated bytes begin, by the meta information; 0 when it does not speak of any."""
    read_preamble(source, force=True)
    meta = read_dataset(source, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    return source.tell() if uid(meta, "TransferSyntaxUID") == DEFLATED else 0


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in PIXELS


def _find_pixels(opened: Opened) -> None:
    """Read the pixel element's own header, where pydicom stopped."""
    order = "<" if opened.little_endian else ">"
    header = opened.source.read(8)
    if len(header) < 8:
        return
    group, element = struct.unpack_from(f"{order}HH", header)
    opened.pixels = PIXELS.get(group << 16 | element, "")
    vr = header[4:6].decode("latin-1")
    # By the bytes and not by the transfer syntax: files that contradict theirs are read by pydicom too.
    if vr in ("OB", "OW", "OF", "OD"):
        opened.pixel_vr = vr
        (opened.pixel_length,) = struct.unpack(f"{order}I", opened.source.read(4).ljust(4, b"\0"))
    else:
        (opened.pixel_length,) = struct.unpack_from(f"{order}I", header, 4)
    opened.pixel_offset = opened.source.tell()


def inflate(packed: bytes, limit: int) -> bytes:
    """Undo raw deflate, as far as the bytes go; raise `NotReadable` beyond `limit` or a suspicious ratio."""
    most = min(limit, max(INFLATED_ALWAYS, INFLATED_RATIO * len(packed)))
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most + 1)
    if len(plain) > most:
        raise NotReadable("bomb")
    return plain
