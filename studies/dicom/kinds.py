"""What an object is, by the roots of SOP classes (PS3.4 §B.5): one word for programs, a finer one for its sentence."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import UID

from studies.dicom.values import integer, uid

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_OTHER_STORAGE = "1.2.840.10008.5.1.4."  # of what belongs to no patient or exam
_KINDS = {
    "pdf": ("104.1",),
    "document": ("104",),
    "key objects": ("88.59",),
    "sr": ("88",),
    "waveform": ("9",),
    "segmentation": ("66.4", "66.7"),
    "presentation": ("11",),
    "spectroscopy": ("4.2",),
    "rt": tuple(f"481.{number}" for number in range(3, 26)),  # 481.1 and .2, image and dose, are pictures
}
# What a person is told of an object without pictures, where its kind alone would be too coarse: codes of `refusals`.
_NOTES = {
    "3d model": ("104.3", "104.4", "104.5"),
    "sound": ("9.4",),
    "raw": ("66",),
    "registration": ("66.1", "66.3"),
    "points": ("66.2",),
    "surfaces": ("66.5", "68"),
    "nerve paths": ("66.6",),
    "value mapping": ("67",),
    "annotations": ("91",),
    "eye measurements": ("78", "79", "80", "81", "82"),
    "implant": ("43", "44", "45"),
    "protocol": ("38", "39", "200", "201"),
    "assessment": ("90",),
    "rt dose": ("481.2",),
    "rt structures": ("481.3", "481.11"),
    "rt plan": ("481.5", "481.8", "481.10", "481.12", "481.13", "481.14", "481.15"),
    "rt record": ("481.4", "481.6", "481.7", "481.9", *(f"481.{number}" for number in range(16, 23))),
}
_COARSE = ("document", "waveform", "rt", "other")
# PS3.5 §8.2: the family of a video's syntax, by its last arc.
_VIDEOS = {"100": "mpeg2", "101": "mpeg2", "107": "h265", "108": "h265"}
_STANDARD = "1.2.840.10008."
_VIDEO_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")


def kind_of(dataset: Dataset, transfer_syntax: str) -> str:
    """One word for what an object is: image, multiframe, video, pdf, document, sr, key objects, waveform,
    segmentation, presentation, spectroscopy, rt, other. Endoscopy and the like may be video or stills: the syntax
    tells."""
    if _VIDEO_SYNTAX.fullmatch(transfer_syntax):
        return "video"
    sop_class = uid(dataset, "SOPClassUID").removeprefix(_STORAGE)
    for kind, roots in _KINDS.items():
        if any(f"{sop_class}.".startswith(f"{root}.") for root in roots):
            return kind
    if not (integer(dataset, "Rows") and integer(dataset, "Columns")):
        return "other"
    return "multiframe" if (integer(dataset, "NumberOfFrames") or 1) > 1 else "image"


def note_of(dataset: Dataset, transfer_syntax: str, kind: str) -> str:
    """The code of the sentence that says what an object without pictures is: finer than its kind, never coarser."""
    if kind == "video":
        return f"video {_VIDEOS.get(transfer_syntax.split('.')[7], 'h264')}"
    said = uid(dataset, "SOPClassUID")
    if kind == "other" and said and not said.startswith(_STANDARD):
        return "private"
    if kind not in _COARSE:
        return kind
    places = f"{said.removeprefix(_STORAGE).removeprefix(_OTHER_STORAGE)}."
    fitting = [(len(root), note) for note, roots in _NOTES.items() for root in roots if places.startswith(f"{root}.")]
    return max(fitting, default=(0, kind))[1]


def class_name(dataset: Dataset) -> str:
    """'CT Performed Procedure Protocol': what the standard calls the object's class; '' where it does not know it."""
    said = UID(uid(dataset, "SOPClassUID"))
    return "" if said.name == said else said.name.removesuffix(" Storage")[:64]
