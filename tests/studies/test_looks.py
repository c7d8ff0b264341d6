"""What a header says of how its frames are to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from studies.dicom import open_dataset
from studies.dicom.looks import MOST_KINDS, looks
from studies.dicom.stacking import stacked
from tests.studies.dicom_made import image

FINE, COARSE = ["0.1", "0.1"], ["0.2", "0.2"]
STACK = np.zeros((4, 2, 2), np.uint16)


def look(**attributes: Any) -> dict[str, Any]:
    """What is said of a picture's only kind."""
    (kind,) = looks(open_dataset(image(STACK[0], **attributes)))["kinds"]
    return dict(kind)


def holder(**attributes: Any) -> Dataset:
    """A sequence's item; lists of these are sequences."""
    ds = Dataset()
    for keyword, value in attributes.items():
        is_items = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(ds, keyword, Sequence(value) if is_items else value)
    return ds


def enhanced(*frames: Dataset, **attributes: Any) -> bytes:
    stack = np.zeros((len(frames), 2, 2), np.uint16)
    return image(stack, PerFrameFunctionalGroupsSequence=Sequence(frames), **attributes)


@pytest.mark.parametrize(
    ("attributes", "spacing", "kind"),
    [
        ({"Modality": "CT", "PixelSpacing": ["0.7", "0.5"]}, [0.7, 0.5], "patient"),
        ({"Modality": "CR", "PixelSpacing": ["0.2", "0.2"]}, [0.2, 0.2], "detector"),
        (
            {"Modality": "DX", "PixelSpacing": ["0.2", "0.2"], "ImagerPixelSpacing": ["0.2", "0.2"]},
            [0.2, 0.2],
            "detector",
        ),
        (
            {"Modality": "DX", "PixelSpacing": ["0.1", "0.1"], "ImagerPixelSpacing": ["0.2", "0.2"]},
            [0.1, 0.1],
            "patient",
        ),
        (
            {"Modality": "CR", "PixelSpacing": ["0.2", "0.2"], "PixelSpacingCalibrationType": "FIDUCIAL"},
            [0.2, 0.2],
            "patient",
        ),
        ({"Modality": "XA", "ImagerPixelSpacing": ["0.3", "0.3"]}, [0.3, 0.3], "detector"),
        (
            {
                "Modality": "MG",
                "ImagerPixelSpacing": ["0.1", "0.1"],
                "EstimatedRadiographicMagnificationFactor": "1.25",
            },
            [0.08, 0.08],
            "detector",
        ),
        ({"Modality": "OT", "NominalScannedPixelSpacing": ["0.1", "0.1"]}, [0.1, 0.1], "detector"),
        ({"Modality": "CT", "PixelSpacing": ["0", "0"]}, None, None),
        ({"Modality": "CT"}, None, None),
    ],
)
def test_a_pixel_measures_something_in_the_patient_or_at_the_detector(
    attributes: dict[str, Any], spacing: list[float] | None, kind: str | None
) -> None:
    said = look(**attributes)
    assert (said["spacing"], said["spacing_kind"]) == (spacing, kind)


def region(delta: float = 0.02, unit: int = 3, form: int = 1, across: float | None = None) -> Dataset:
    return holder(
        RegionSpatialFormat=form,
        PhysicalUnitsXDirection=unit,
        PhysicalUnitsYDirection=unit,
        PhysicalDeltaX=across or delta,
        PhysicalDeltaY=delta,
    )


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([region()], [0.2, 0.2]),
        ([region(0.02, across=0.03)], [0.2, 0.3]),
        ([region(), region(0.0201)], [0.2, 0.2]),
        ([region(), region(0.04)], None),
        ([region(), region(unit=4, form=3)], None),
        ([region(-0.02)], [0.2, 0.2]),
        ([region(0.0)], None),
    ],
    ids=["one", "oblong", "they agree", "two scales", "a curve beside", "upwards", "nothing"],
)
def test_ultrasound_is_measured_where_all_regions_agree(regions: list[Dataset], spacing: list[float] | None) -> None:
    said = look(Modality="US", PixelSpacing=["9", "9"], SequenceOfUltrasoundRegions=Sequence(regions))
    assert (said["spacing"], said["spacing_kind"]) == (spacing, "patient" if spacing else None)


@pytest.mark.parametrize(
    ("attributes", "sides"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "R L A P"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "R L H F"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "A P H F"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.8, -0.6]}, "R L AH PF"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.98, -0.2]}, "R L A P"),
        ({"PatientOrientation": ["L", "F"]}, "R L H F"),
        ({"PatientOrientation": ["A", "FL"]}, "P A HR FL"),
        ({"PatientOrientation": ["LEFT", "F"]}, None),
        ({"PatientOrientation": ["LR", "F"]}, None),
        ({"PatientOrientation": ["L", "F"], "AnatomicalOrientationType": "QUADRUPED"}, None),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, None),
        ({}, None),
    ],
)
def test_each_side_has_its_letters(attributes: dict[str, Any], sides: str | None) -> None:
    said = look(**attributes)["orientation"]
    assert (said and " ".join(said[side] for side in ("left", "right", "top", "bottom"))) == sides


def test_windows_and_units_are_those_of_the_values() -> None:
    said = look(
        Modality="CT",
        RescaleIntercept="-1024",
        WindowCenter=["40", "-600", "1"],
        WindowWidth=["400", "1500", "0"],
        WindowCenterWidthExplanation=["SOFT", "LUNG"],
        VOILUTFunction="SIGMOID",
    )
    assert said["unit"] == "HU"
    assert said["windows"] == [
        {"center": 40, "width": 400, "function": "SIGMOID", "name": "SOFT"},
        {"center": -600, "width": 1500, "function": "SIGMOID", "name": "LUNG"},
    ]
    assert look(Modality="PT", Units="BQML")["unit"] == "Bq/mL"
    assert look(Modality="CT", RescaleIntercept="0", RescaleType="US")["unit"] == ""
    odd = look(WindowCenter="1", WindowWidth="0.5", VOILUTFunction="WAVY")["windows"]
    assert [one["function"] for one in odd] == ["LINEAR_EXACT"]


@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ({"ImageLaterality": "L"}, "L"),
        ({"Laterality": "R"}, "R"),
        ({"Laterality": "U"}, ""),
        ({"Laterality": "left"}, ""),
    ],
)
def test_a_side_of_the_body_is_named(attributes: dict[str, Any], side: str) -> None:
    assert look(**attributes)["laterality"] == side


def measured(spacing: float) -> Dataset:
    return holder(PixelMeasuresSequence=[holder(PixelSpacing=[spacing, spacing])])


def test_frames_are_of_the_kinds_they_are_of() -> None:
    said = looks(open_dataset(enhanced(measured(1), measured(2), measured(1), Dataset(), Modality="MG")))
    assert [kind["spacing"] for kind in said["kinds"]] == [[1, 1], [2, 2], None]
    assert said["kinds"][0]["spacing_kind"] == "patient", "a slice worked out from projections is no projection"
    assert said["frames"] == [0, 1, 0, 2]
    alike = looks(open_dataset(enhanced(measured(1), measured(1))))
    assert (len(alike["kinds"]), alike["frames"]) == (1, [])


def test_of_too_many_kinds_nothing_wrong_is_said() -> None:
    frames = [measured(1 + number / 1000) for number in range(MOST_KINDS + 5)]
    said = looks(open_dataset(enhanced(*frames)))
    assert len(said["kinds"]) == MOST_KINDS + 1
    assert said["kinds"][said["frames"][-1]]["spacing"] is None


def placed(z: float, *dimensions: int, stack: str = "", time: int = 0) -> Dataset:
    content = holder(StackID=stack, TemporalPositionIndex=time)
    if dimensions:
        content.DimensionIndexValues = list(dimensions)
    return holder(
        PlanePositionSequence=[holder(ImagePositionPatient=[0, 0, z])],
        PlaneOrientationSequence=[holder(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        FrameContentSequence=[content],
    )


def dimensions(*pointers: int) -> Sequence:
    return Sequence([holder(DimensionIndexPointer=pointer) for pointer in pointers])


TIME, IN_STACK = 0x00209128, 0x00209057


@pytest.mark.parametrize(
    ("frames", "pointers", "order"),
    [
        ([placed(0, 1, 2), placed(0, 2, 2), placed(5, 1, 1), placed(5, 2, 1)], (TIME, IN_STACK), [0, 2, 1, 3]),
        ([placed(0, time=2), placed(0, time=1), placed(5, time=2), placed(5, time=1)], (), [1, 3, 0, 2]),
        ([placed(0, stack="2"), placed(5, stack="2"), placed(0, stack="1"), placed(5, stack="1")], (), [2, 3, 0, 1]),
        ([placed(0), placed(10), placed(5)], (), [0, 2, 1]),
        ([placed(0), placed(5), placed(10)], (), []),
    ],
    ids=["by dimensions", "by time", "by stack", "by place", "as stored"],
)
def test_frames_are_put_in_order(frames: list[Dataset], pointers: tuple[int, ...], order: list[int]) -> None:
    more = {"DimensionIndexSequence": dimensions(*pointers)} if pointers else {}
    assert stacked(open_dataset(enhanced(*frames, **more)).dataset) == order


def test_a_film_is_not_put_in_order() -> None:
    assert stacked(open_dataset(image(STACK)).dataset) == []
    assert stacked(open_dataset(enhanced(*[Dataset()] * 3)).dataset) == []
