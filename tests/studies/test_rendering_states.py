"""Presentation states: brightness, turning and flipping as DCMTK's dcmp2pgm shows them.

It draws neither shutters nor overlays nor lines nor words: those lie where the state's own numbers put them.
"""

# ruff: noqa: E501 (a table is read by its rows)

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bench import oracle
from studies.dicom import open_dataset
from studies.dicom.presenting import presents
from studies.rendering import render, shown
from studies.rendering.picture import aspect_of
from studies.rendering.pixels import described, frame_content
from studies.rendering.states import presented, restated
from tests.studies.dicom_made import SECONDARY_CAPTURE, dataset, image, written
from tests.studies.rendition_rows import DEEP, FAR, added, lut, mask, overlay

GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
IMAGE_UID = "1.2.826.0.1.3"
needs_dcmtk = pytest.mark.skipif(not shutil.which("dcmp2pgm"), reason="no dcmp2pgm on this machine (.ci/packages)")


def reference(frames: list[int] | None = None) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = SECONDARY_CAPTURE, IMAGE_UID
    if frames:
        one.ReferencedFrameNumber = frames
    return one


def holding(**attributes: Any) -> Sequence:
    """A sequence of one item."""
    one = Dataset()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    return Sequence([one])


def softcopy(**window: Any) -> Sequence:
    return holding(**window)


def state(rows: int = 64, columns: int = 64, **attributes: Any) -> bytes:
    """A grayscale softcopy presentation state for the made picture, whole as DCMTK wants it."""
    area = holding(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[columns, rows],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    said: dict[str, Any] = {
        "SOPClassUID": GRAYSCALE,
        "SOPInstanceUID": "1.2.826.0.1.9",
        "Modality": "PR",
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyDate": "",
        "StudyTime": "",
        "AccessionNumber": "",
        "StudyID": "",
        "ReferringPhysicianName": "",
        "Manufacturer": "",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "ContentLabel": "STATE",
        "ContentDescription": "",
        "PresentationCreationDate": "20260101",
        "PresentationCreationTime": "120000",
        "ContentCreatorName": "",
        "ReferencedSeriesSequence": holding(
            SeriesInstanceUID="1.2.826.0.1.2", ReferencedImageSequence=Sequence([reference()])
        ),
        "DisplayedAreaSelectionSequence": area,
        "PresentationLUTShape": "IDENTITY",
        **attributes,
    }
    return written(dataset(**{keyword: value for keyword, value in said.items() if value is not None}))


def seen(picture: bytes, by: bytes, frame: int = 0) -> NDArray[np.uint8]:
    """The picture by the state, at full size."""
    opened, how = open_dataset(picture), open_dataset(by).dataset
    shape = described(opened)
    content = frame_content(opened, shape, frame)
    pixels = shown(restated(opened, how, frame), shape, frame, content, 1 << 20, hangs=True)
    return presented(pixels, opened, how, shape, frame, aspect_of(opened.dataset, frame))[0]


PLAIN: dict[str, Any] = {"SoftcopyVOILUTSequence": softcopy(WindowCenter=2000, WindowWidth=3000)}
LAYER = Sequence([holding(GraphicLayer="L1", GraphicLayerOrder=1)[0]])
CASES: dict[str, tuple[bytes, bytes]] = {
    "window": (image(DEEP, WindowCenter=1, WindowWidth=2), state(**PLAIN)),
    "window, signed and rescaled": (
        image(DEEP.astype(np.int16) - 2000),
        state(SoftcopyVOILUTSequence=softcopy(WindowCenter=300, WindowWidth=1200), RescaleSlope=2, RescaleIntercept=100, RescaleType="US"),
    ),
    "rescaled by the state alone": (image(DEEP, RescaleSlope=9, RescaleIntercept=9), state(**PLAIN)),
    "voi lut": (image(DEEP), state(SoftcopyVOILUTSequence=softcopy(VOILUTSequence=lut(0, 16, (np.arange(4096) ** 2) // 256)))),
    "modality lut": (
        image(DEEP, BitsStored=12),
        state(ModalityLUTSequence=lut(0, 12, np.arange(4096)[::-1]), **PLAIN),
    ),
    "inverse": (image(DEEP, **FAR), state(PresentationLUTShape="INVERSE", **PLAIN)),
    "monochrome1, identity": (image(DEEP, PhotometricInterpretation="MONOCHROME1"), state(**PLAIN)),
    "monochrome1, inverse": (image(DEEP, PhotometricInterpretation="MONOCHROME1"), state(PresentationLUTShape="INVERSE", **PLAIN)),
    "presentation lut": (
        image(DEEP),
        state(PresentationLUTShape=None, PresentationLUTSequence=lut(0, 8, np.arange(256) ** 2 // 255), **PLAIN),
    ),
    "overlay of the picture, without one": (added(image(DEEP), overlay(0x6000, mask(20, 10))), state(**PLAIN)),
    "turned": (image(DEEP[:48], **FAR), state(48, ImageRotation=90, ImageHorizontalFlip="N", **PLAIN)),
    "turned by half": (image(DEEP[:48] // 2 + np.arange(64, dtype=np.uint16), **FAR), state(48, ImageRotation=180, ImageHorizontalFlip="N", **PLAIN)),
    "turned and flipped": (image(DEEP[:48] // 2 + np.arange(64, dtype=np.uint16) * 9, **FAR), state(48, ImageRotation=270, ImageHorizontalFlip="Y", **PLAIN)),
    "flipped": (image(DEEP // 2 + np.arange(64, dtype=np.uint16) * 9, **FAR), state(ImageRotation=0, ImageHorizontalFlip="Y", **PLAIN)),
}  # fmt: skip


@needs_dcmtk
@pytest.mark.parametrize("name", CASES)
def test_a_picture_by_a_state_is_what_dcmtk_shows(name: str, tmp_path: Path) -> None:
    picture, by = CASES[name]
    for file, content in (("image.dcm", picture), ("state.dcm", by)):
        (tmp_path / file).write_bytes(content)
    theirs = oracle.presented(tmp_path / "image.dcm", tmp_path / "state.dcm")
    pixels = seen(picture, by)
    assert np.ptp(pixels) > 0
    assert pixels.shape == theirs.shape
    apart = np.abs(pixels.astype(int) - theirs)
    assert apart.mean() <= 1, f"{apart.mean():.2f} on average, {apart.max()} at most"


DOWN, ACROSS = np.mgrid[1:65, 1:65]
BOX: dict[str, Any] = {
    "ShutterLeftVerticalEdge": 8, "ShutterRightVerticalEdge": 50, "ShutterUpperHorizontalEdge": 12, "ShutterLowerHorizontalEdge": 60,
}  # fmt: skip
ROUND: dict[str, Any] = {"CenterOfCircularShutter": [30, 36], "RadiusOfCircularShutter": 20}
IN_BOX = (ACROSS >= 8) & (ACROSS <= 50) & (DOWN >= 12) & (DOWN <= 60)
IN_ROUND = (DOWN - 30) ** 2 + (ACROSS - 36) ** 2 <= 20**2
SHUT: dict[str, tuple[bytes, NDArray[np.bool_], int]] = {
    "rectangular": (state(ShutterShape="RECTANGULAR", ShutterPresentationValue=0, **BOX, **PLAIN), IN_BOX, 0),
    "in grey": (state(ShutterShape="RECTANGULAR", ShutterPresentationValue=0x8000, **BOX, **PLAIN), IN_BOX, 128),
    "circular": (state(ShutterShape="CIRCULAR", ShutterPresentationValue=0, **ROUND, **PLAIN), IN_ROUND, 0),
    "two of them": (state(ShutterShape=["RECTANGULAR", "CIRCULAR"], ShutterPresentationValue=0, **BOX, **ROUND, **PLAIN), IN_BOX & IN_ROUND, 0),
    "polygonal": (
        state(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[11, 11, 11, 50, 40, 50, 40, 11], ShutterPresentationValue=0, **PLAIN),
        (DOWN >= 11) & (DOWN <= 40) & (ACROSS >= 11) & (ACROSS <= 50), 0,
    ),
    "a bitmap": (
        added(state(ShutterShape="BITMAP", ShutterOverlayGroup=0x6000, ShutterPresentationValue=0, **PLAIN), overlay(0x6000, ~mask(10, 10, 40, 44))),
        mask(10, 10, 40, 44), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHUT)
def test_a_shutter_of_the_state_covers_what_lies_outside_of_it(name: str) -> None:
    by, open_part, tone = SHUT[name]
    itself = image(DEEP, ShutterShape="CIRCULAR", CenterOfCircularShutter=[9, 9], RadiusOfCircularShutter=5)
    assert np.array_equal(seen(itself, by), np.where(open_part, seen(image(DEEP), state(**PLAIN)), tone))


OVERLAID: dict[str, tuple[bytes, bytes]] = {
    "of the state": (
        image(DEEP),
        added(state(GraphicLayerSequence=LAYER, **PLAIN), overlay(0x6002, mask(20, 10)) | {0x60021001: ("CS", "L1")}),
    ),
    "of the picture, with a layer": (
        added(image(DEEP), overlay(0x6000, mask(20, 10))),
        added(state(GraphicLayerSequence=LAYER, **PLAIN), {0x60001001: ("CS", "L1")}),
    ),
}


@pytest.mark.parametrize("name", OVERLAID)
def test_an_overlay_with_a_layer_is_drawn(name: str) -> None:
    drawn = np.where(mask(20, 10), 255, seen(image(DEEP), state(**PLAIN)))
    assert np.array_equal(seen(*OVERLAID[name]), drawn)


@needs_dcmtk
@pytest.mark.samples
@pytest.mark.parametrize(("by", "picture"), [("prLUTs.dcm", "imageForPrLUTs.dcm"), ("prOverlay.dcm", "overlay.dcm")])
def test_a_sample_by_its_state_is_what_dcmtk_shows(by: str, picture: str, samples: Path) -> None:
    shown, state_file = (samples / "pr-presentation-states" / name for name in (picture, by))
    ours = seen(shown.read_bytes(), state_file.read_bytes())
    drawn = ours == 255
    assert drawn.mean() < 0.2
    assert np.abs(ours.astype(int) - oracle.presented(shown, state_file))[~drawn].mean() <= 1


def test_only_the_area_displayed_is_shown_and_its_pixels_are_as_tall_as_it_says() -> None:
    area = holding(
        DisplayedAreaTopLeftHandCorner=[11, 21],
        DisplayedAreaBottomRightHandCorner=[30, 60],
        PresentationPixelSpacing=[2, 1],
    )
    by = state(DisplayedAreaSelectionSequence=area, **PLAIN)
    assert np.array_equal(seen(image(DEEP), by), seen(image(DEEP), state(**PLAIN))[20:60, 10:30])
    (picture,) = render(image(DEEP), sizes={"preview": 1024}, state=by)
    assert (picture.width, picture.height) == (20, 80)


def test_an_area_of_nonsense_is_the_whole() -> None:
    area = holding(DisplayedAreaTopLeftHandCorner=[900, 900], DisplayedAreaBottomRightHandCorner=[950, 999])
    assert seen(image(DEEP), state(DisplayedAreaSelectionSequence=area, **PLAIN)).shape == (64, 64)


def graphic(kind: str, points: list[float], units: str = "PIXEL", filled: str = "N") -> Sequence:
    drawn = holding(
        GraphicAnnotationUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points) // 2,
        GraphicData=points,
        GraphicType=kind,
        GraphicFilled=filled,
    )
    return holding(GraphicLayer="L1", GraphicObjectSequence=drawn)


DARK = image(np.zeros((64, 64), np.uint16) + 1, **FAR)


@pytest.mark.parametrize(
    ("kind", "points", "on", "off"),
    [
        ("POLYLINE", [8, 32, 56, 32], [(32, 20), (32, 50)], [(20, 20), (32, 60)]),
        ("CIRCLE", [32, 32, 48, 32], [(32, 48), (16, 32), (32, 16)], [(32, 32), (10, 10)]),
        ("ELLIPSE", [12, 32, 52, 32, 32, 22, 32, 42], [(32, 12), (22, 32)], [(32, 32), (12, 32)]),
        ("INTERPOLATED", [8, 32, 30, 32, 56, 32], [(32, 20), (32, 50)], [(20, 20)]),
        ("POINT", [20, 40], [(40, 20)], [(32, 32)]),
    ],
)
def test_what_is_drawn_lies_where_it_should(
    kind: str, points: list[float], on: list[tuple[int, int]], off: list[tuple[int, int]]
) -> None:
    drawn = seen(DARK, state(GraphicAnnotationSequence=graphic(kind, points), **PLAIN))
    times = len(drawn) // 64  # a small picture is enlarged to be drawn upon
    assert times == 8
    assert all(
        drawn[row * times - 4 : row * times + 5, column * times - 4 : column * times + 5].max() == 255
        for row, column in on
    )
    assert all(
        drawn[row * times - 4 : row * times + 5, column * times - 4 : column * times + 5].max() == 0
        for row, column in off
    )


def test_a_drawing_turns_with_its_picture() -> None:
    corner = graphic("POLYLINE", [4, 4, 12, 4, 12, 12, 4, 12], filled="Y")
    for rotation, flip, (top, left) in (
        (0, "N", (0, 0)),
        (90, "N", (0, 1)),
        (180, "N", (1, 1)),
        (0, "Y", (0, 1)),
        (90, "Y", (0, 0)),
    ):
        by = state(GraphicAnnotationSequence=corner, ImageRotation=rotation, ImageHorizontalFlip=flip, **PLAIN)
        quarters = seen(DARK, by).reshape(2, 256, 2, 256).max((1, 3))
        assert np.argwhere(quarters == 255).tolist() == [[top, left]]


def test_fractions_of_what_is_displayed_are_places_too() -> None:
    drawn = seen(DARK, state(GraphicAnnotationSequence=graphic("POINT", [0.75, 0.25], "DISPLAY"), **PLAIN))
    assert drawn[128, 384] == 255


def test_words_are_written_and_stay_within_the_picture() -> None:
    words = holding(
        UnformattedTextValue="Lesion 12 mm",
        AnchorPoint=[63, 63],
        AnchorPointAnnotationUnits="PIXEL",
        AnchorPointVisibility="N",
    )
    by = state(GraphicAnnotationSequence=holding(GraphicLayer="L1", TextObjectSequence=words), **PLAIN)
    drawn = seen(DARK, by)
    assert (drawn[-30:] > 150).sum() > 100
    assert drawn[:400].max() == 0


def test_what_is_said_of_other_images_or_frames_is_not_heard() -> None:
    elsewhere = Dataset()
    elsewhere.ReferencedSOPClassUID, elsewhere.ReferencedSOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4"
    windows = Sequence([softcopy(WindowCenter=9, WindowWidth=9)[0], softcopy(WindowCenter=2000, WindowWidth=3000)[0]])
    windows[0].ReferencedImageSequence = Sequence([elsewhere, reference([2])])
    assert np.array_equal(seen(image(DEEP), state(SoftcopyVOILUTSequence=windows)), seen(image(DEEP), state(**PLAIN)))


def test_a_state_without_brightness_leaves_that_of_the_picture() -> None:
    picture = image(DEEP, WindowCenter=700, WindowWidth=900, RescaleSlope=2, RescaleIntercept=-100)
    (alone,) = render(picture, sizes={"preview": 64})
    (by,) = render(picture, sizes={"preview": 64}, state=state(PresentationLUTShape=None))
    assert np.array_equal(np.asarray(Image.open(BytesIO(by.content))), np.asarray(Image.open(BytesIO(alone.content))))


def test_the_pictures_of_a_state_are_told() -> None:
    frames = holding(SeriesInstanceUID="1.2", ReferencedImageSequence=Sequence([reference([1, 3])]))
    assert presents(open_dataset(state()).dataset) == {"presents": [[IMAGE_UID, []]]}
    assert presents(open_dataset(state(ReferencedSeriesSequence=frames)).dataset) == {"presents": [[IMAGE_UID, [0, 2]]]}
    blending = state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4")
    assert presents(open_dataset(blending).dataset) == {}
