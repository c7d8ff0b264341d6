"""One grey frame as a screen shows it: stored bits → modality values → window → 0 to 255 (PS3.3 §C.11).

Most frames have 16 bits at most and more pixels than values. So the way from bits to brightness is worked
out once for every value that can occur, and the picture is looked up in that table. The slices of a series
mostly go the same way: a way is made of numbers that can be compared, and the last tables are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from studies.dicom import functional_group, item, numbers, text, value_of
from studies.rendering.pixels import Shape

Values = NDArray[np.float64]
Grey = NDArray[np.uint8]
Curve = Callable[[Values], Values]
"""From stored values to modality values, or from those to brightness, 0 (black) to 1. Equal ones do the same."""

DARKEST, BRIGHTEST = 0.5, 99.5  # percentiles, where no window is given
PIECE = 1 << 17
SAMPLE = 20_000  # pixels looked at to choose one


def grey(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int) -> Grey:
    """Show [rows, columns] of stored bits as the data set asks for; padding is black."""
    with np.errstate(all="ignore"):  # floats of any size come in
        way = way_of(samples, shape, dataset, frame)
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

    def __call__(self, bits: NDArray[Any]) -> Grey:
        stored = meaning(bits, self.shape)
        light = np.clip(np.nan_to_num(self.curve(self.modality(stored))), 0, 1)
        light = 1 - light if self.shape.photometric == "MONOCHROME1" else light
        if self.padding:
            light[_outside(stored, self.padding)] = 0
        return (light * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=8)
def _tabled(way: Way, depth: int) -> Grey:
    """The brightness of every pattern of so many bits."""
    return way(np.arange(1 << depth, dtype=f"u{depth // 8}"))


def way_of(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int) -> Way:
    """How these stored bits are to be shown: by the data set's word, or where it says nothing, by their range."""
    modality, padding = _modality(dataset, frame), _padding(shape, dataset)
    stored = meaning(samples.reshape(-1)[:: max(1, samples.size // SAMPLE)], shape)
    sample = modality(stored[~_outside(stored, padding)] if padding else stored)
    whole = samples.dtype.kind != "f"
    curve = _curve(dataset, frame, sample, whole) or _chosen(shape, modality, sample)
    return Way(shape, modality, padding, curve)


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


def _modality(dataset: Dataset, frame: int) -> Curve:
    table = _table(dataset, "ModalityLUTSequence")
    if table is not None:
        return table
    holder = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope = next(iter(numbers(holder, "RescaleSlope")), 1.0) or 1.0
    intercept = next(iter(numbers(holder, "RescaleIntercept")), 0.0)
    return Linear(slope, intercept)


@dataclass(frozen=True)
class Linear:
    """A straight line."""

    slope: float
    intercept: float

    def __call__(self, values: Values) -> Values:
        return values * self.slope + self.intercept


@dataclass(frozen=True, eq=False)
class Table:
    """A look-up table: the first value it maps, and what from there on it gives (§C.11.1.1)."""

    first: float
    output: Values

    def __call__(self, values: Values) -> Values:
        return self.output[np.clip(values - self.first, 0, len(self.output) - 1).astype(np.intp)]


def _table(holder: Dataset, sequence: str) -> Table | None:
    """The first table of a sequence; None where there is none or its parts do not fit together."""
    found = item(holder, sequence, 0)
    descriptor = numbers(found, "LUTDescriptor") if found is not None else []
    content = value_of(found, "LUTData") if found is not None else None
    if len(descriptor) != 3 or not content:
        return None
    entries, first = int(descriptor[0]) or 1 << 16, descriptor[1]
    if isinstance(content, bytes):
        content = (
            np.frombuffer(content, "<u2", entries) if len(content) >= 2 * entries else np.frombuffer(content, "u1")
        )
    output = np.atleast_1d(np.asarray(content))[:entries].astype(np.float64)
    # Signed, but written as unsigned: a table does not start so near the end of its range.
    return Table(first - (1 << 16) if first + len(output) > 1 << 16 else first, output)


# --- values of interest: modality values to brightness (§C.11.2)


def _curve(dataset: Dataset, frame: int, sample: Values, whole: bool) -> Curve | None:
    """The first rendering the data set offers that shows anything; `whole` are values that are integers."""
    holder = functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    curves = [curve for curve in (_voi_lut(holder), _window(holder, whole), _soft_tissue(dataset)) if curve]
    shows = next((curve for curve in curves if not _blank(curve, sample)), None)
    # Air beside the body is black in every window for tissue: its noise, stretched to the full range, is no picture.
    return shows or (curves[0] if _soft_tissue(dataset) else None)


def _blank(curve: Curve, sample: Values) -> bool:
    """A window that makes one flat tone of a picture that has several is a mistake of its writer."""
    return bool(sample.size and np.ptp(sample) > 0 and np.ptp(np.clip(curve(sample), 0, 1)) == 0)


def _voi_lut(holder: Dataset) -> Curve | None:
    table = _table(holder, "VOILUTSequence")
    # By the brightest entry: the descriptor's bits often promise more than the table gives.
    return table and Table(table.first, table.output / (table.output.max() or 1.0))


def _window(holder: Dataset, whole: bool) -> Curve | None:
    function = text(holder, "VOILUTFunction") or "LINEAR"
    for center, width in zip(numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth"), strict=False):
        if width > 0:
            # LINEAR counts whole values from end to end. Maps of fractions that say it, or nothing, mean this.
            exact = function == "LINEAR" and (width < 1 or not whole)
            return Window(center, width, "LINEAR_EXACT" if exact else function)
    return None


def _soft_tissue(dataset: Dataset) -> Curve | None:
    """CT without a window: Hounsfield units mean the same everywhere, so a customary window will do."""
    hounsfield = text(dataset, "Modality") == "CT" and "RescaleIntercept" in dataset
    return Window(40, 400) if hounsfield else None


@dataclass(frozen=True)
class Window:
    """A window as the standard writes it (§C.11.2.1.2, §C.11.2.1.3.1, §C.11.2.1.3.2)."""

    center: float
    width: float
    function: str = "LINEAR"

    def __call__(self, values: Values) -> Values:
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - self.center) / self.width, -700, 700)))
        if self.function == "LINEAR_EXACT":
            return (values - self.center) / self.width + 0.5
        if self.width == 1:
            return (values > self.center - 0.5).astype(np.float64)
        return (values - (self.center - 0.5)) / (self.width - 1) + 0.5


def _chosen(shape: Shape, modality: Curve, sample: Values) -> Curve:
    """Eight bits and fewer were made for a screen: all of them. More were not: what most pixels lie within."""
    screen = np.array([0.0, (1 << min(shape.stored, 8)) - 1])
    if shape.stored <= 8 and not shape.signed and np.array_equal(modality(screen), screen):
        low, high = screen
    elif sample.size:
        low, high = np.percentile(sample, (DARKEST, BRIGHTEST))
        low, high = (low, high) if low < high else (sample.min(), sample.max())
    else:
        low, high = 0.0, 1.0
    return Span(float(low), float(high))


@dataclass(frozen=True)
class Span:
    """From the darkest value to the brightest."""

    low: float
    high: float

    def __call__(self, values: Values) -> Values:
        return (values - self.low) / max(self.high - self.low, 1e-9)
