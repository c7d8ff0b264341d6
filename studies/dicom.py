"""A typed face over pydicom that never raises over a value: headers to facts.

Runs inside the sandbox only. What comes out is JSON: text is decoded by Specific Character Set with U+FFFD
for what cannot be, control and direction characters are taken out, numbers are finite, and a value that
makes no sense is empty. Only a data set that cannot be read at all raises, as `NotReadable`.
"""

from __future__ import annotations

import codecs
import math
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

from pydicom import charset, config, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PersonName

from studies.refusals import NotReadable, Refusal
from studies.sandbox.registry import Answer, preload, task
from studies.values import dicom_date, dicom_time, is_uid, person_name

__all__ = ["dicom_date", "dicom_time", "facts", "identify", "person_name"]

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

LONGEST_TEXT = 1024
# C0, C1, and the marks that reorder or hide text on a page.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


# Values that mean the same in every character set and whatever stands beside them.
_PLAIN_TEXT = re.compile(rb"[ -\[\]-}]{0,1024}\0?")
_TEXTS = frozenset(["AS", "CS", "DA", "LO", "SH", "TM", "UI"])
_PLAIN_NUMBERS = {
    "IS": re.compile(rb" *[+-]?\d{1,9} *(?:\\ *[+-]?\d{1,9} *){0,15}"),
    "DS": re.compile(rb" *[+-]?\d{1,9}(?:\.\d{1,15})? *(?:\\ *[+-]?\d{1,9}(?:\.\d{1,15})? *){0,15}"),
}


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
    syntax = _uid(dataset.file_meta, "TransferSyntaxUID")
    return Opened(dataset, syntax, dataset.original_encoding[1] is not False, source)


def _deflated_from(source: BytesIO) -> int:
    """Where the deflated bytes begin, by the meta information; 0 when it does not speak of any."""
    read_preamble(source, force=True)
    meta = read_dataset(source, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    return source.tell() if _uid(meta, "TransferSyntaxUID") == DEFLATED else 0


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


# --- single values


def value_of(dataset: Dataset, keyword: str) -> Any:
    """The value of an attribute, or None where it is missing, empty or cannot be converted."""
    tag = _tag(keyword)
    if tag not in dataset:  # most are not, and to be told so by pydicom takes an exception
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = dataset[tag].value
            if isinstance(value, PersonName):
                value.decode()
    except (Exception, RecursionError):
        # Conversion happens at access, one element at a time: a bad one must not cost its neighbours.
        return None
    return None if value == "" else value


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _raw(dataset: Dataset, keyword: str) -> RawDataElement | None:
    """The element as it stands in the file, as long as nobody has asked pydicom for its value.

    To convert one takes pydicom some fifty microseconds, and most are a few letters or digits.
    """
    element: object = dataset.get_item(_tag(keyword))
    return element if isinstance(element, RawDataElement) else None


def _plain_text(element: RawDataElement) -> str | None:
    plain = element.VR in _TEXTS and _PLAIN_TEXT.fullmatch(element.value or b"")
    return plain[0].rstrip(b"\0").decode("ascii").strip() if plain else None


def _plain_numbers(element: RawDataElement) -> list[float] | None:
    value = element.value or b""
    if element.VR == "US" and len(value) == 2:
        return [float(int.from_bytes(value, "little" if element.is_little_endian else "big"))]
    plain = element.VR in _PLAIN_NUMBERS and _PLAIN_NUMBERS[element.VR].fullmatch(value)
    return [float(part) for part in value.split(b"\\")] if plain else None


def text(dataset: Dataset, keyword: str) -> str:
    """The value as one line of text, its parts joined by backslashes; "" where there is none."""
    raw = _raw(dataset, keyword)
    plain = _plain_text(raw) if raw else None
    if plain is not None:
        return plain
    value = value_of(dataset, keyword)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, MultiValue | list):
        value = "\\".join(str(part) for part in value)
    return "" if value is None else _seen(str(value))


def _seen(text: str) -> str:
    return _UNSEEN.sub(" ", text).strip()[:LONGEST_TEXT]


def _uid(dataset: Dataset, keyword: str) -> str:
    uid = text(dataset, keyword)
    return uid if is_uid(uid) else ""


def _name(dataset: Dataset, keyword: str, group: str = "alphabetic") -> str:
    name = value_of(dataset, keyword)
    if isinstance(name, MultiValue):
        name = name[0] if name else None
    return _seen(getattr(name, group)) if isinstance(name, PersonName) else ""


def _ideographic(dataset: Dataset, keyword: str) -> str:
    return _name(dataset, keyword, "ideographic")


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The numbers of an attribute; none where any of them is not one."""
    raw = _raw(dataset, keyword)
    plain = _plain_numbers(raw) if raw else None
    if plain is not None:
        return plain
    value = value_of(dataset, keyword)
    parts = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    try:
        found = [float(part) for part in parts if part not in (None, "")]
    except (TypeError, ValueError, OverflowError):
        return []
    return found if all(map(math.isfinite, found)) else []


def _number(dataset: Dataset, keyword: str) -> float | None:
    return next(iter(numbers(dataset, keyword)), None)


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first number of an attribute, cut to a whole one of 64 bits, or None."""
    number = _number(dataset, keyword)
    # Beyond 63 bits no database takes it, and no instance number means it.
    return None if number is None or abs(number) >= 1 << 63 else int(number)


# --- facts

IDENTITY: dict[str, tuple[Callable[[Dataset, str], Any], str]] = {
    "sop_class_uid": (_uid, "SOPClassUID"),
    "sop_uid": (_uid, "SOPInstanceUID"),
    "study_uid": (_uid, "StudyInstanceUID"),
    "series_uid": (_uid, "SeriesInstanceUID"),
    "patient_id": (text, "PatientID"),
    "issuer": (text, "IssuerOfPatientID"),
    "patient_name": (_name, "PatientName"),
    "patient_name_ideographic": (_ideographic, "PatientName"),
    "birth_date": (text, "PatientBirthDate"),
    "sex": (text, "PatientSex"),
    "accession_number": (text, "AccessionNumber"),
    "modality": (text, "Modality"),
}

FACTS: dict[str, tuple[Callable[[Dataset, str], Any], str]] = {
    **IDENTITY,
    "study_date": (text, "StudyDate"),
    "study_time": (text, "StudyTime"),
    "study_description": (text, "StudyDescription"),
    "referring_physician": (_name, "ReferringPhysicianName"),
    "institution": (text, "InstitutionName"),
    "series_number": (integer, "SeriesNumber"),
    "series_description": (text, "SeriesDescription"),
    "body_part": (text, "BodyPartExamined"),
    "laterality": (text, "Laterality"),
    "image_laterality": (text, "ImageLaterality"),
    "view_position": (text, "ViewPosition"),
    "protocol": (text, "ProtocolName"),
    "instance_number": (integer, "InstanceNumber"),
    "image_type": (text, "ImageType"),
    "rows": (integer, "Rows"),
    "columns": (integer, "Columns"),
    "samples": (integer, "SamplesPerPixel"),
    "photometric": (text, "PhotometricInterpretation"),
    "bits_allocated": (integer, "BitsAllocated"),
    "bits_stored": (integer, "BitsStored"),
    "burned_in": (text, "BurnedInAnnotation"),
    "slice_location": (_number, "SliceLocation"),
}


def facts(content: bytes) -> dict[str, Any]:
    """What the headers of one instance say, JSON-able; `content` is a file or its bytes up to the pixels.

    Texts are "" and numbers None where nothing sensible is said; dates and times stay as DICOM writes them
    (see `dicom_date`). Lengths are in mm, `frame_time` in ms, `windows` in rescaled values (PS3.3 §C.11.2).
    """
    opened = open_dataset(content)
    dataset = opened.dataset
    said = {name: read(dataset, keyword) for name, (read, keyword) in FACTS.items()}
    frames = integer(dataset, "NumberOfFrames") or 1
    return {
        **said,
        "transfer_syntax_uid": opened.transfer_syntax,
        "kind": kind_of(dataset, opened.transfer_syntax),
        "frames": max(1, frames),
        "image_position": _geometry(dataset, "PlanePositionSequence", "ImagePositionPatient", 3),
        "image_orientation": _geometry(dataset, "PlaneOrientationSequence", "ImageOrientationPatient", 6),
        "pixel_spacing": _geometry(dataset, "PixelMeasuresSequence", "PixelSpacing", 2)
        or _exactly(numbers(dataset, "ImagerPixelSpacing"), 2),
        "windows": _windows(dataset),
        "frame_time": _frame_time(dataset),
        **_rejects(dataset),
    }


def identify(prefix: bytes, size: int = 0) -> dict[str, Any]:
    """Whose the file is, from its beginning: for files the streaming walk would not read.

    Same names as `facts`, and `transfer_syntax_uid`. `cut` says that a file of `size` bytes in all ends before
    what it declares; where nobody can tell, it is False.
    """
    opened = open_dataset(prefix, INFLATED_IDENTITY_LIMIT)
    # First, for an element that was asked for its value no longer says how long it should be.
    cut = opened.transfer_syntax != DEFLATED and _is_cut(opened, prefix, max(size, len(prefix)))
    said = {name: read(opened.dataset, keyword) for name, (read, keyword) in IDENTITY.items()}
    return {**said, "transfer_syntax_uid": opened.transfer_syntax, "cut": cut}


def _is_cut(opened: Opened, prefix: bytes, size: int) -> bool:
    """Whether the file ends too early. pydicom hands over what is there of a value and says nothing."""
    whole = len(prefix) == size
    if opened.encapsulated:
        return whole and SEQUENCE_END not in prefix[opened.pixel_offset :]
    if opened.pixels:
        return opened.pixel_offset + opened.pixel_length > size
    if not whole or _ends_in_an_element(opened.dataset, size):
        return whole
    return all(integer(opened.dataset, keyword) for keyword in ("Rows", "Columns", "BitsAllocated"))


def _ends_in_an_element(dataset: Dataset, size: int) -> bool:
    """Whether some value reaches beyond the file."""
    end = 0
    for tag in sorted(dataset.keys()):
        element: Any = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and element.length != UNDEFINED_LENGTH:
            end = max(end, element.value_tell + element.length)
    return end > size


def functional_group(dataset: Dataset, frame: int, sequence: str) -> Dataset | None:
    """A functional group macro of one frame (0-based), its own or the shared one (PS3.3 §C.7.6.16)."""
    for holder, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = item(dataset, holder, index)
        macro = item(groups, sequence, 0) if groups is not None else None
        if macro is not None:
            return macro
    return None


def item(dataset: Dataset, keyword: str, index: int) -> Dataset | None:
    """One item of a sequence, or None."""
    items = value_of(dataset, keyword)
    try:
        found = items[index]
    except (TypeError, IndexError, AttributeError):
        return None
    return found if isinstance(found, Dataset) else None


def items(dataset: Dataset, keyword: str) -> Iterator[Dataset]:
    """All items of a sequence."""
    index = 0
    while (found := item(dataset, keyword, index)) is not None:
        yield found
        index += 1


def _geometry(dataset: Dataset, sequence: str, keyword: str, count: int) -> list[float]:
    found = _exactly(numbers(dataset, keyword), count)
    if not found:
        macro = functional_group(dataset, 0, sequence)
        found = _exactly(numbers(macro, keyword), count) if macro is not None else []
    return found


def _exactly(found: list[float], count: int) -> list[float]:
    return found if len(found) == count else []


def _windows(dataset: Dataset) -> list[dict[str, Any]]:
    macro = functional_group(dataset, 0, "FrameVOILUTSequence")
    holder = dataset if macro is None else macro
    centers, widths = numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth")
    names = text(holder, "WindowCenterWidthExplanation").split("\\")
    function = text(holder, "VOILUTFunction") or "LINEAR"
    return [
        {"center": center, "width": width, "name": name, "function": function}
        for center, width, name in zip(centers, widths, names + [""] * len(centers), strict=False)
    ]


def _frame_time(dataset: Dataset) -> float | None:
    """Milliseconds between the frames of a cine, by the attribute a viewer should obey first."""
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = _number(dataset, keyword)
        if rate and rate > 0:
            return round(1000 / rate, 3)
    time = _number(dataset, "FrameTime") or max(numbers(dataset, "FrameTimeVector")[:2], default=0)
    return time if time and time > 0 else None


# --- kinds of object, by the roots of SOP classes (PS3.4 §B.5)

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_KINDS = {
    "pdf": ("104.1",),
    "document": ("104",),
    "key objects": ("88.59",),
    "sr": ("88",),
    "waveform": ("9",),
    "segmentation": ("66.4", "66.5", "66.7"),
    "presentation": ("11",),
    "rt": tuple(f"481.{number}" for number in range(2, 26)),  # 481.1 is the RT Image, a picture
}
_VIDEO_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")


def kind_of(dataset: Dataset, transfer_syntax: str) -> str:
    """One word for what an object is: image, multiframe, video, pdf, document, sr, key objects, waveform,
    segmentation, presentation, rt, other. Endoscopy and the like may be video or stills: the syntax tells."""
    if _VIDEO_SYNTAX.fullmatch(transfer_syntax):
        return "video"
    sop_class = _uid(dataset, "SOPClassUID").removeprefix(_STORAGE)
    for kind, roots in _KINDS.items():
        if any(f"{sop_class}.".startswith(f"{root}.") for root in roots):
            return kind
    if not (integer(dataset, "Rows") and integer(dataset, "Columns")):
        return "other"
    return "multiframe" if (integer(dataset, "NumberOfFrames") or 1) > 1 else "image"


# --- rejection notes

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
REJECTIONS = frozenset({"113001", "113037", "113038", "113039"})
MOST_REJECTED = 10_000


def _rejects(dataset: Dataset) -> dict[str, Any]:
    """What a key object document takes back when its title is one of a rejection note (IHE RAD TF-2 §4.66), else {}.

    `uids` are the SOP Instance UIDs that it names in its own study, by its evidence and its content; `beyond` is how
    many more than MOST_REJECTED those are, `elsewhere` how many it names in others.
    """
    if _uid(dataset, "SOPClassUID") != KEY_OBJECT_SELECTION:
        return {}
    title = item(dataset, "ConceptNameCodeSequence", 0)
    code = text(title, "CodeValue") if title is not None else ""
    if title is None or code not in REJECTIONS or text(title, "CodingSchemeDesignator") != "DCM":
        return {}
    own: set[str] = set()
    others: set[str] = set()
    for study in items(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        is_own = _uid(study, "StudyInstanceUID") == _uid(dataset, "StudyInstanceUID")
        for series in items(study, "ReferencedSeriesSequence"):
            (own if is_own else others).update(_referenced(series))
    for content in items(dataset, "ContentSequence"):
        own.update(set(_referenced(content)) - others)
    named = {"uids": sorted(own)[:MOST_REJECTED], "beyond": max(0, len(own) - MOST_REJECTED)}
    return {"rejects": {"code": code, **named, "elsewhere": len(others)}}


def _referenced(holder: Dataset) -> Iterator[str]:
    for reference in items(holder, "ReferencedSOPSequence"):
        if uid := _uid(reference, "ReferencedSOPInstanceUID"):
            yield uid


# --- tasks of the sandbox


@task("facts")
def _facts(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The facts of many headers; one that cannot be read is `{"refused": code}` and costs no neighbour."""
    return {"facts": [_facts_or_refusal(blob) for blob in blobs]}, []


def _facts_or_refusal(content: bytes) -> dict[str, Any]:
    try:
        return facts(content)
    except Refusal as refusal:
        return {"refused": refusal.code}


@task("identify")
def _identify(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return identify(blobs[0], int(args.get("size", 0))), []


@preload
def _load_encodings() -> None:
    """Python loads its codecs from files at first use (and decoding nothing is no use)."""
    for encoding in {*charset.python_encoding.values(), "latin-1", "ascii"}:
        codecs.lookup(encoding)
