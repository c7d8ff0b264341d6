"""How each frame is to be looked at: its size, what a pixel measures, which way is which, the windows it offers.

Frames of one object mostly agree, so `looks` says each kind once and of every frame which kind it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pydicom.dataset import Dataset

from studies.dicom.hanging import flips
from studies.dicom.opening import Opened
from studies.dicom.values import functional_group, integer, items, number, numbers, text

Look = dict[str, Any]

MOST_FRAMES: Final = 1024
"""Frames of one object that are told apart; later ones are as the last of these."""
MOST_KINDS: Final = 128
MOST_WINDOWS: Final = 16
LETTERS: Final = (("L", "R"), ("P", "A"), ("H", "F"))  # towards + and - of x, y, z (PS3.3 §C.7.6.2.1.1)
OPPOSITE: Final = str.maketrans("LRPAHF", "RLAPFH")
ASIDE: Final = 0.3827  # sine of 22.5 degrees: from there on a second letter says more than it confuses
PROJECTIONS: Final = frozenset({"CR", "DX", "MG", "XA", "RF", "RG", "IO", "PX", "RTIMAGE"})
CENTIMETRES: Final = 3  # Physical Units X Direction (§C.8.5.5.1.15)
TISSUE: Final = 1  # Region Spatial Format 2D (§C.8.5.5.1.1)
FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
UNITS: Final = {"HU": "HU", "OD": "OD", "BQML": "Bq/mL", "GML": "g/mL", "CNTS": "counts"}


def looks(opened: Opened) -> dict[str, Any]:
    """`{"kinds": [Look, …], "frames": [kind of frame 0, of frame 1, …]}`; no frames where all are of the first kind.

    A Look has rows, columns, spacing ([row, column] in mm) and spacing_kind, orientation (letters at the four sides),
    laterality, windows (in rescaled values) and unit.
    """
    differ = "PerFrameFunctionalGroupsSequence" in opened.dataset
    count = (integer(opened.dataset, "NumberOfFrames") or 1) if differ else 1
    kinds: dict[str, int] = {}
    frames: list[int] = []
    for frame in range(min(max(1, count), MOST_FRAMES)):
        said = json.dumps(look(opened, frame))
        if said not in kinds and len(kinds) >= MOST_KINDS:
            said = json.dumps(_unmeasured(opened))
        frames.append(kinds.setdefault(said, len(kinds)))
    return {"kinds": [json.loads(said) for said in kinds], "frames": frames if len(kinds) > 1 else []}


def look(opened: Opened, frame: int) -> Look:
    """What is said of one frame (0-based)."""
    spacing, kind = spacing_of(opened.dataset, frame)
    return {
        **_size(opened.dataset),
        "spacing": spacing,
        "spacing_kind": kind,
        "orientation": orientation_of(opened.dataset, frame),
        "laterality": _laterality(opened.dataset, frame),
        "windows": windows_of(opened, frame),
        "unit": unit_of(opened.dataset, frame),
    }


def _unmeasured(opened: Opened) -> Look:
    """Of more kinds than are told apart nothing is said that might be another's."""
    nothing: Look = {
        "spacing": None,
        "spacing_kind": None,
        "orientation": None,
        "laterality": "",
        "windows": [],
        "unit": "",
    }
    return {**_size(opened.dataset), **nothing}


def _size(dataset: Dataset) -> Look:
    return {"rows": integer(dataset, "Rows") or 0, "columns": integer(dataset, "Columns") or 0}


# --- what a pixel measures


def spacing_of(dataset: Dataset, frame: int) -> tuple[list[float] | None, str | None]:
    """[row, column] spacing in mm, and whether it holds in the patient or only at the detector (PS3.3 §10.7.1.3).

    A projection casts its object larger than it is, and says how large only when somebody calibrated it.
    """
    if "SequenceOfUltrasoundRegions" in dataset:
        return _of_regions(dataset)
    if measured := _pair(functional_group(dataset, frame, "PixelMeasuresSequence"), "PixelSpacing"):
        return measured, "patient"
    said, detector = _pair(dataset, "PixelSpacing"), _at_detector(dataset, frame)
    if said and _is_calibrated(dataset, said, detector):
        return said, "patient"
    if said := detector or said:
        factor = number(dataset, "EstimatedRadiographicMagnificationFactor") or 1.0
        return [round(side / factor, 6) for side in said] if 1 <= factor < 10 else said, "detector"
    return None, None


def _at_detector(dataset: Dataset, frame: int) -> list[float] | None:
    macro = functional_group(dataset, frame, "FramePixelDataPropertiesSequence")
    spacing = _pair(macro, "ImagerPixelSpacing") or _pair(dataset, "ImagerPixelSpacing")
    return spacing or _pair(dataset, "NominalScannedPixelSpacing")


def _is_calibrated(dataset: Dataset, said: list[float], detector: list[float] | None) -> bool:
    if text(dataset, "PixelSpacingCalibrationType"):
        return True
    if detector:
        return any(abs(mine - its) > 0.001 * its for mine, its in zip(said, detector, strict=True))
    return text(dataset, "Modality") not in PROJECTIONS


def _of_regions(dataset: Dataset) -> tuple[list[float] | None, str | None]:
    """Ultrasound is measured by regions of the screen (§C.8.5.5): where all of them are tissue of one scale."""
    scales = [_scale(region) for region in items(dataset, "SequenceOfUltrasoundRegions")]
    first = scales[0] if scales else None
    if first and all(scale and _agree(first, scale) for scale in scales):
        return first, "patient"
    return None, None


def _scale(region: Dataset) -> list[float] | None:
    directions = (integer(region, f"PhysicalUnits{axis}Direction") for axis in "XY")
    if integer(region, "RegionSpatialFormat") != TISSUE or any(unit != CENTIMETRES for unit in directions):
        return None
    sides = [abs(number(region, f"PhysicalDelta{axis}") or 0.0) * 10 for axis in "YX"]
    return [round(side, 6) for side in sides] if all(1e-4 < side < 100 for side in sides) else None


def _agree(one: list[float], other: list[float]) -> bool:
    return all(abs(mine - its) <= 0.01 * mine for mine, its in zip(one, other, strict=True))


def _pair(holder: Dataset | None, keyword: str) -> list[float] | None:
    sides = numbers(holder, keyword) if holder is not None else []
    return sides if len(sides) == 2 and all(1e-4 < side < 100 for side in sides) else None


# --- which way is which


def orientation_of(dataset: Dataset, frame: int) -> dict[str, str] | None:
    """The letters at the left, right, top and bottom side of the picture as it is shown."""
    rightward, downward = directions_of(dataset, frame)
    if not rightward or not downward:
        return None
    left_right, top_bottom = flips_of(dataset, frame)
    rightward = rightward.translate(OPPOSITE) if left_right else rightward
    downward = downward.translate(OPPOSITE) if top_bottom else downward
    sides = {"left": rightward.translate(OPPOSITE), "right": rightward}
    return {**sides, "top": downward.translate(OPPOSITE), "bottom": downward}


def flips_of(dataset: Dataset, frame: int) -> tuple[bool, bool]:
    """Whether a frame is shown flipped left to right, and top to bottom: mammograms are, to hang as they should."""
    return flips(text(dataset, "Modality"), _laterality(dataset, frame), *directions_of(dataset, frame))


def directions_of(dataset: Dataset, frame: int) -> tuple[str, str]:
    """Where rows and columns run to as they are stored, by the direction cosines, else by Patient Orientation; ""
    where nothing is said."""
    macro = functional_group(dataset, frame, "PlaneOrientationSequence")
    cosines = numbers(macro if macro is not None else dataset, "ImageOrientationPatient")
    if len(cosines) == 6:
        return _towards(cosines[:3]), _towards(cosines[3:])
    return _lettered(dataset, frame)


def _towards(cosines: list[float]) -> str:
    """Letters of a direction, the one it mostly points to first; '' where it is no direction."""
    if not 0.9 < sum(part * part for part in cosines) < 1.1:
        return ""
    parts = sorted(zip(cosines, LETTERS, strict=True), key=lambda part: -abs(part[0]))
    return "".join(ends[part < 0] for part, ends in parts if abs(part) > ASIDE)


def _lettered(dataset: Dataset, frame: int) -> tuple[str, str]:
    own = functional_group(dataset, frame, "PatientOrientationInFrameSequence")
    said = text(dataset if own is None else own, "PatientOrientation").split("\\")  # §C.7.6.1.1.1
    quadruped = text(dataset, "AnatomicalOrientationType") == "QUADRUPED"
    if len(said) != 2 or quadruped or not all(_is_direction(one) for one in said):
        return "", ""
    return said[0], said[1]


def _is_direction(letters: str) -> bool:
    axes = [axis for letter in letters for axis, ends in enumerate(LETTERS) if letter in ends]
    return 0 < len(axes) == len(letters) == len(set(axes))


def _laterality(dataset: Dataset, frame: int) -> str:
    macro = functional_group(dataset, frame, "FrameAnatomySequence")
    said = text(macro, "FrameLaterality") if macro is not None else ""
    said = said or text(dataset, "ImageLaterality") or text(dataset, "Laterality")
    return said if said in ("R", "L", "B") else ""


# --- what the values are


def windows_of(opened: Opened, frame: int) -> list[dict[str, Any]]:
    """The windows that one frame offers, in rescaled values (§C.11.2)."""
    macro = functional_group(opened.dataset, frame, "FrameVOILUTSequence")
    return list(_windows(opened.dataset if macro is None else macro, opened.pixels in ("float", "double")))


def _windows(holder: Dataset, fractions: bool) -> Iterator[dict[str, Any]]:
    centers, widths = numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth")
    names = text(holder, "WindowCenterWidthExplanation").split("\\")
    said = text(holder, "VOILUTFunction")
    function = said if said in FUNCTIONS else "LINEAR"
    for center, width, name in zip(centers[:MOST_WINDOWS], widths, names + [""] * MOST_WINDOWS, strict=False):
        # LINEAR counts whole values from end to end: the maps of fractions that say it, or nothing, mean this.
        exact = function == "LINEAR" and (width < 1 or fractions)
        if width > 0:
            yield {"center": center, "width": width, "function": "LINEAR_EXACT" if exact else function, "name": name}


def unit_of(dataset: Dataset, frame: int) -> str:
    """What a rescaled value is a number of, where that is said; CT that says nothing means Hounsfield (§C.11.1.1.2)."""
    holder = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    said = text(holder, "RescaleType") or text(dataset, "Units")
    if not said and text(dataset, "Modality") == "CT" and "RescaleIntercept" in holder:
        said = "HU"
    return UNITS.get(said, "")


def has_grey(dataset: Dataset) -> bool:
    """Whether the pixels are shades of grey that a window applies to."""
    one = (integer(dataset, "SamplesPerPixel") or 1) == 1
    return one and text(dataset, "PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2", "")
