"""One word for what an object is, by the roots of SOP classes (PS3.4 §B.5)."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from studies.dicom.values import integer, uid

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
    sop_class = uid(dataset, "SOPClassUID").removeprefix(_STORAGE)
    for kind, roots in _KINDS.items():
        if any(f"{sop_class}.".startswith(f"{root}.") for root in roots):
            return kind
    if not (integer(dataset, "Rows") and integer(dataset, "Columns")):
        return "other"
    return "multiframe" if (integer(dataset, "NumberOfFrames") or 1) > 1 else "image"
