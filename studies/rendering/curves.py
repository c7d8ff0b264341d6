"""From numbers to numbers: lines, tables and windows (PS3.3 §C.11). Equal ones do the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from studies.dicom import item, numbers, value_of

Values = NDArray[np.float64]
Curve = Callable[[Values], Values]
"""From stored values to modality values, or from those to brightness, 0 (black) to 1."""


@dataclass(frozen=True)
class Linear:
    """A straight line."""

    slope: float
    intercept: float

    def __call__(self, values: Values) -> Values:
        return values * self.slope + self.intercept


@dataclass(frozen=True, eq=False)
class Table:
    """A look-up table: the first value it maps, what from there on it gives, and the most that its bits could say
    (§C.11.1.1)."""

    first: float
    output: Values
    most: float

    def __call__(self, values: Values) -> Values:
        return self.output[np.clip(values - self.first, 0, len(self.output) - 1).astype(np.intp)]

    def lit(self) -> Table:
        """The same with brightness for output."""
        return Table(self.first, self.output / self.most, 1.0)


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


@dataclass(frozen=True)
class Span:
    """From the darkest value to the brightest."""

    low: float
    high: float

    def __call__(self, values: Values) -> Values:
        return (values - self.low) / max(self.high - self.low, 1e-9)


def table_of(holder: Dataset, sequence: str) -> Table | None:
    """The first table of a sequence; None where there is none or its parts do not fit together."""
    found = item(holder, sequence, 0)
    return None if found is None else table_in(found)


def table_in(holder: Dataset) -> Table | None:
    """The table that an item describes and holds (§C.11.1.1.1)."""
    descriptor, content = numbers(holder, "LUTDescriptor"), value_of(holder, "LUTData")
    if len(descriptor) != 3 or not content:
        return None
    entries, first = int(descriptor[0]) or 1 << 16, descriptor[1]
    output = _entries(content, entries)
    # Signed, but written as unsigned: a table does not start so near the end of its range.
    first = first - (1 << 16) if first + len(output) > 1 << 16 else first
    return Table(first, output, _most(int(descriptor[2]), output))


def _entries(content: Any, entries: int) -> Values:
    if isinstance(content, bytes):
        content = np.frombuffer(content, "<u2") if len(content) >= 2 * entries else np.frombuffer(content, "u1")
    return np.atleast_1d(np.asarray(content))[:entries].astype(np.float64)


def _most(bits: int, output: Values) -> float:
    """The greatest number of so many bits. Writers promise 16 and use 12, or say 8 of a table of 16: then those used
    count."""
    used = max(1, int(output.max())).bit_length()
    return float((1 << (bits if used <= bits <= used + 1 else used)) - 1)
