"""One grey frame as a screen shows it: stored bits → modality values → window → 0 to 255 (PS3.3 §C.11).

Most frames have 16 bits at most and more pixels than values. So the way from bits to brightness is worked
out once for every value that can occur, and the picture is looked up in that table. The slices of a series
mostly go the same way: a way is made of numbers that can be compared, and the last tables are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from studies.dicom import functional_group, items, numbers, text
from studies.rendering.curves import Curve, Linear, Span, Table, Values, Window, table_in, table_of
from studies.rendering.pixels import Shape

Grey = NDArray[np.uint8]

DARKEST, BRIGHTEST = 0.5, 99.5  # percentiles, where no window is given
PIECE = 1 << 17
SAMPLE = 20_000  # pixels looked at to choose one


def grey(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int, stretch: Span | None = None) -> Grey:
    """Show [rows, columns] of stored bits as the data set asks for; padding is black."""
    with np.errstate(all="ignore"):  # floats of any size come in
        way = way_of(samples, shape, dataset, frame, stretch)
        depth = samples.dtype.itemsize * 8
        if depth > 16 or samples.size < 1 << depth:
            return way(samples)
        return _looked_up(_tabled(way, depth), samples)


def _looked_up(table: Grey, samples: NDArray[Any]) -> Grey:
    """numpy widens indices to eight bytes: piece by piece they stay in the processor's cache."""
    bits, shown = samples.reshape(-1), np.empty(samples.size, np.uint8)
    for start in range(0, bits.size, PIECE):
        shown[start : start + PIECE] = table.take(bits[start : start + PIECE])
    return shown.reshape(samples.shape)


@dataclass(frozen=True)
class Way:
    """All that leads from bits to brightness."""

    shape: Shape
    modality: Curve
    padding: tuple[float, float] | None
    curve: Curve
    inverse: bool = False
    presentation: Table | None = None

    def __call__(self, bits: NDArray[Any]) -> Grey:
        stored = meaning(bits, self.shape)
        light = np.clip(np.nan_to_num(self.curve(self.modality(stored))), 0, 1)
        if self.presentation:
            light = self.presentation(np.round(light * (len(self.presentation.output) - 1)) + self.presentation.first)
        light = 1 - light if self.inverse else light
        if self.padding:
            light[_outside(stored, self.padding)] = 0
        return (light * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=8)
def _tabled(way: Way, depth: int) -> Grey:
    """The brightness of every pattern of so many bits."""
    return way(np.arange(1 << depth, dtype=f"u{depth // 8}"))


def way_of(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int, stretch: Span | None = None) -> Way:
    """How these stored bits are to be shown: by the data set's word, or where it says nothing, by `stretch`, the range
    of the whole series, or by their own."""
    modality, padding = modality_of(dataset, frame), _padding(shape, dataset)
    sample = sampled(samples, shape, modality, padding)
    whole = samples.dtype.kind != "f"
    curve = _curve(dataset, frame, sample, whole) or _full_screen(shape, modality) or stretch or _most_of(sample)
    presentation = table_of(dataset, "PresentationLUTSequence")
    return Way(shape, modality, padding, curve, _is_inverse(shape, dataset), presentation and presentation.lit())


def sampled(samples: NDArray[Any], shape: Shape, modality: Curve, padding: tuple[float, float] | None) -> Values:
    """Modality values of some pixels of the picture, spread over all of it."""
    stored = meaning(samples.reshape(-1)[:: max(1, samples.size // SAMPLE)], shape)
    return modality(stored[~_outside(stored, padding)] if padding else stored)


def spread(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int) -> Values | None:
    """What the range of a series is worked out of: some modality values; None where the data set says itself how it
    is to be shown."""
    with np.errstate(all="ignore"):
        modality = modality_of(dataset, frame)
        sample = sampled(samples, shape, modality, _padding(shape, dataset))
        said = _curve(dataset, frame, sample, samples.dtype.kind != "f") or _full_screen(shape, modality)
        return None if said else sample


def _is_inverse(shape: Shape, dataset: Dataset) -> bool:
    """The presentation's shape is the newer word, and comes before the photometric interpretation (§C.11.6)."""
    said = text(dataset, "PresentationLUTShape")
    if said in ("IDENTITY", "INVERSE"):
        return said == "INVERSE"
    return shape.photometric == "MONOCHROME1"


def meaning(bits: NDArray[Any], shape: Shape) -> Values:
    """Stored values from bits: those within Bits Stored, two's complement where signed (PS3.5 §8.1.1)."""
    if bits.dtype.kind == "f":
        return np.nan_to_num(bits.astype(np.float64))
    stored = bits.astype(np.int64)
    if bits.dtype.itemsize * 8 >= shape.allocated:
        stored >>= shape.high_bit + 1 - shape.stored
    stored &= (1 << shape.stored) - 1
    if shape.signed:
        half = 1 << (shape.stored - 1)
        stored = (stored ^ half) - half
    return stored.astype(np.float64)


def _padding(shape: Shape, dataset: Dataset) -> tuple[float, float] | None:
    """The least and the greatest value of pixels that lie outside the picture (PS3.3 §C.7.5.1.1.2)."""
    ends = numbers(dataset, "PixelPaddingValue")[:1]
    if not ends:
        return None
    ends += numbers(dataset, "PixelPaddingRangeLimit")[:1]
    if shape.signed:  # and written as unsigned: the VR may be either
        ends = [end - (1 << 16) if end >= 1 << 15 else end for end in ends]
    return min(ends), max(ends)


def _outside(stored: Values, padding: tuple[float, float]) -> NDArray[np.bool_]:
    return (stored >= padding[0]) & (stored <= padding[1])


# --- modality: stored values to those the window speaks of (§C.11.1)


def modality_of(dataset: Dataset, frame: int) -> Curve:
    """From stored values to those the window speaks of."""
    table = table_of(dataset, "ModalityLUTSequence")
    if table is not None:
        return table
    holder = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope = next(iter(numbers(holder, "RescaleSlope")), 1.0) or 1.0
    intercept = next(iter(numbers(holder, "RescaleIntercept")), 0.0)
    return Linear(slope, intercept)


# --- values of interest: modality values to brightness (§C.11.2)


def _curve(dataset: Dataset, frame: int, sample: Values, whole: bool) -> Curve | None:
    """The first rendering the data set offers that shows anything; `whole` are values that are integers."""
    holder = functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    customary = _soft_tissue(dataset)
    curves: list[Curve] = [*_tables(holder), *_windows(holder, whole)]
    if customary:
        # A slice of air beside the body is black, as its neighbours are around theirs: neither the file's window for
        # lungs nor its noise, stretched to the full range, makes it a picture.
        curves = [*curves[:1], customary]
    shows = next((curve for curve in curves if not _blank(curve, sample)), None)
    return shows or (curves[0] if customary else None)


def _blank(curve: Curve, sample: Values) -> bool:
    """A window that makes one flat tone of a picture that has several is a mistake of its writer."""
    return bool(sample.size and np.ptp(sample) > 0 and np.ptp(np.clip(curve(sample), 0, 1)) == 0)


def _tables(holder: Dataset) -> Iterator[Curve]:
    for described in items(holder, "VOILUTSequence"):
        if table := table_in(described):
            yield table.lit()


def _windows(holder: Dataset, whole: bool) -> Iterator[Curve]:
    function = text(holder, "VOILUTFunction") or "LINEAR"
    for center, width in zip(numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth"), strict=False):
        if width > 0:
            # LINEAR counts whole values from end to end. Maps of fractions that say it, or nothing, mean this.
            exact = function == "LINEAR" and (width < 1 or not whole)
            yield Window(center, width, "LINEAR_EXACT" if exact else function)


def _soft_tissue(dataset: Dataset) -> Curve | None:
    """CT without a window: Hounsfield units mean the same everywhere, so a customary window will do."""
    hounsfield = text(dataset, "Modality") == "CT" and "RescaleIntercept" in dataset
    return Window(40, 400) if hounsfield else None


def _full_screen(shape: Shape, modality: Curve) -> Span | None:
    """Eight bits and fewer were made for a screen: all of them. More were not."""
    screen = np.array([0.0, (1 << min(shape.stored, 8)) - 1])
    whole = shape.stored <= 8 and not shape.signed and np.array_equal(modality(screen), screen)
    return Span(0.0, float(screen[1])) if whole else None


def _most_of(sample: Values) -> Span:
    return range_of([sample]) if sample.size else Span(0.0, 1.0)


def range_of(sample: list[Values]) -> Span:
    """What most pixels lie within."""
    pooled = np.concatenate(sample)
    low, high = np.percentile(pooled, (DARKEST, BRIGHTEST))
    low, high = (low, high) if low < high else (pooled.min(), pooled.max())
    return Span(float(low), float(high))
