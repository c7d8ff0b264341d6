"""Draws bodies that never lived: solids and tubes in patient coordinates, cut by flat planes.

Lengths are millimetres in DICOM's patient axes (PS3.3 §C.7.6.2.1.1): x to the left, y to the back, z to the head.
Pictures are float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Point = tuple[float, float, float]
Axis = Literal["axial", "coronal", "sagittal"]

# Along columns, along rows, through the plane: (axis, direction) of each.
LAYOUT: dict[Axis, tuple[tuple[int, int], tuple[int, int], int]] = {
    "axial": ((0, 1), (1, 1), 2),
    "coronal": ((0, 1), (2, -1), 1),
    "sagittal": ((1, 1), (2, -1), 0),
}


@dataclass(frozen=True)
class Plane:
    """A cut: `rows` x `columns` pixels of `spacing` mm around `centre`; a thick one has softer edges."""

    axis: Axis
    centre: Point
    rows: int
    columns: int
    spacing: float
    thickness: float = 0.0

    def steps(self) -> tuple[Point, Point]:
        """Unit vectors along a row (to the next column) and along a column (to the next row)."""
        units = []
        for axis, direction in LAYOUT[self.axis][:2]:
            unit = [0.0, 0.0, 0.0]
            unit[axis] = float(direction)
            units.append((unit[0], unit[1], unit[2]))
        return units[0], units[1]

    def corner(self) -> Point:
        """The middle of the first pixel."""
        place = list(self.centre)
        for (axis, direction), count in zip(LAYOUT[self.axis][:2], (self.columns, self.rows), strict=True):
            place[axis] -= direction * self.spacing * (count - 1) / 2
        return place[0], place[1], place[2]

    def grid(self) -> list[Array]:
        """x, y and z of every pixel, ready to broadcast to (rows, columns)."""
        (along, _), (down, _), through = LAYOUT[self.axis]
        corner, (step_along, step_down) = self.corner(), self.steps()
        grid = [np.zeros((1, 1), np.float32)] * 3
        columns = np.arange(self.columns, dtype=np.float32)[None, :] * self.spacing
        rows = np.arange(self.rows, dtype=np.float32)[:, None] * self.spacing
        grid[along] = corner[along] + columns * step_along[along]
        grid[down] = corner[down] + rows * step_down[down]
        grid[through] = np.full((1, 1), corner[through], np.float32)
        return grid


@dataclass(frozen=True)
class Solid:
    """A superellipsoid: an ellipsoid at `power` 2, boxier above; turned by `turn` degrees around z."""

    centre: Point
    radii: Point
    turn: float = 0.0
    power: float = 2.0

    def reach(self) -> Point:
        """Half the box around it."""
        widest = max(self.radii[:2]) if self.turn else 0.0
        return max(widest, self.radii[0]), max(widest, self.radii[1]), self.radii[2]

    def distance(self, grid: Sequence[Array]) -> Array:
        """0 in the middle, 1 on the surface."""
        x, y, z = (axis - middle for axis, middle in zip(grid, self.centre, strict=True))
        if self.turn:
            cos, sin = np.cos(np.radians(self.turn)), np.sin(np.radians(self.turn))
            x, y = np.float32(cos) * x + np.float32(sin) * y, np.float32(cos) * y - np.float32(sin) * x
        if self.power == 2:
            near: Array = np.sqrt((x / self.radii[0]) ** 2 + (y / self.radii[1]) ** 2 + (z / self.radii[2]) ** 2)
            return near
        terms = [np.abs(axis / radius) ** self.power for axis, radius in zip((x, y, z), self.radii, strict=True)]
        total: Array = (terms[0] + terms[1] + terms[2]) ** np.float32(1 / self.power)
        return total


@dataclass(frozen=True)
class Tube:
    """A bent cylinder: a thick line through `points`, as thick as `radii` say at each of them."""

    points: Array  # (n, 3)
    radii: Array  # (n,)

    @classmethod
    def through(cls, points: Sequence[Point], radii: float | Sequence[float]) -> Tube:
        """A tube along straight pieces, as a dense string of balls."""
        stops = np.asarray(points, np.float32)
        thick = np.broadcast_to(np.asarray(radii, np.float32), (len(stops),))
        lengths = np.linalg.norm(np.diff(stops, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        count = max(2, int(along[-1] / max(0.8, float(thick.min()) * 0.35)))
        places = np.linspace(0, along[-1], count)
        dense = np.stack([np.interp(places, along, stops[:, axis]) for axis in range(3)], axis=1)
        return cls(dense.astype(np.float32), np.interp(places, along, thick).astype(np.float32))


def bundle(tubes: Iterable[Tube]) -> Tube:
    """Many tubes of one tissue as a single one."""
    parts = list(tubes)
    return Tube(np.concatenate([tube.points for tube in parts]), np.concatenate([tube.radii for tube in parts]))


@dataclass
class Canvas:
    """The picture of one plane, painted from the back to the front."""

    plane: Plane
    image: Array
    rng: np.random.Generator
    grid: list[Array] = field(init=False)

    def __post_init__(self) -> None:
        self.grid = self.plane.grid()

    @classmethod
    def blank(cls, plane: Plane, value: float, seed: int) -> Canvas:
        """Nothing but `value`."""
        return cls(plane, np.full((plane.rows, plane.columns), value, np.float32), np.random.default_rng(seed))

    def texture(self, steepness: float, strength: float) -> Array:
        """Unevenness of all sizes, for tissue."""
        return strength * self._moved(_cloud_once(self.image.shape, steepness))

    def grain(self, size: float, strength: float) -> Array:
        """The noise of the scanner."""
        return strength * self._moved(_grain_once(self.image.shape, size))

    def _moved(self, pattern: Array) -> Array:
        """The same pattern, begun elsewhere: as good as a new one, and much quicker."""
        down, along = self.rng.integers(0, pattern.shape)
        return np.roll(pattern, (int(down), int(along)), (0, 1))

    def paint(self, value: float | Array, cover: Array) -> None:
        """Lay `value` over the picture where `cover` is 1; edges are blended."""
        self.image += cover * (value - self.image)

    def solid(self, value: float, solid: Solid, within: Array | None = None) -> None:
        """Paint a solid, clipped by another cover; only its own box is touched."""
        window = self._window(solid)
        if window is None:
            return
        cover = self._cover(solid, window)
        if within is not None:
            cover = cover * within[window]
        patch = self.image[window]
        patch += cover * (value - patch)

    def cover(self, solid: Solid) -> Array:
        """How much of each pixel lies in the solid, 0 to 1."""
        whole = np.zeros_like(self.image)
        window = self._window(solid)
        if window is not None:
            whole[window] = self._cover(solid, window)
        return whole

    def tube(self, value: float, tube: Tube, within: Array | None = None) -> None:
        """Paint a tube, or a bundle of them."""
        cover = self.tube_cover(tube)
        self.paint(value, cover if within is None else cover * within)

    def tube_cover(self, tube: Tube) -> Array:
        """How much of each pixel lies in the tube: each ball that the plane cuts leaves a disc."""
        (along, _), (down, _), through = LAYOUT[self.plane.axis]
        away = tube.points[:, through] - self.plane.centre[through]
        cut = np.flatnonzero(np.abs(away) < tube.radii)
        whole = np.zeros_like(self.image)
        corner, (right, below) = self.plane.corner(), self.plane.steps()
        columns = (tube.points[cut, along] - corner[along]) * right[along] / self.plane.spacing
        rows = (tube.points[cut, down] - corner[down]) * below[down] / self.plane.spacing
        discs = np.sqrt(tube.radii[cut] ** 2 - away[cut] ** 2) / self.plane.spacing
        for row, column, radius in zip(rows.tolist(), columns.tolist(), discs.tolist(), strict=True):
            _stamp(whole, row, column, radius)
        return whole

    def _window(self, solid: Solid) -> tuple[slice, slice] | None:
        """The pixels that the solid can touch."""
        (along, _), (down, _), through = LAYOUT[self.plane.axis]
        reach, corner, (right, below) = solid.reach(), self.plane.corner(), self.plane.steps()
        if abs(self.plane.centre[through] - solid.centre[through]) > reach[through] + self.plane.spacing:
            return None
        rows = _span(solid.centre[down], reach[down], corner[down], below[down] * self.plane.spacing, self.plane.rows)
        columns = _span(
            solid.centre[along], reach[along], corner[along], right[along] * self.plane.spacing, self.plane.columns
        )
        return None if rows is None or columns is None else (rows, columns)

    def _cover(self, solid: Solid, window: tuple[slice, slice]) -> Array:
        rows, columns = window
        near = [axis[rows if axis.shape[0] > 1 else slice(None), columns if axis.shape[1] > 1 else slice(None)]
                for axis in self.grid]  # fmt: skip
        sharpness = np.float32(min(solid.radii) / max(self.plane.spacing, self.plane.thickness))
        cover: Array = np.clip(np.float32(0.5) + (1 - solid.distance(near)) * sharpness, 0, 1)
        return cover


def _span(middle: float, reach: float, start: float, step: float, count: int) -> slice | None:
    """Indices along one axis that lie within `reach` of `middle`."""
    ends = sorted(((middle - reach - start) / step, (middle + reach - start) / step))
    first, last = max(0, int(ends[0]) - 1), min(count, int(ends[1]) + 3)
    return slice(first, last) if first < last else None


def _stamp(whole: Array, row: float, column: float, radius: float) -> None:
    """Lay a disc with a soft edge into the picture; where discs overlap the fuller one counts."""
    top, left = max(0, int(row - radius - 1)), max(0, int(column - radius - 1))
    patch = whole[top : max(0, int(row + radius + 3)), left : max(0, int(column + radius + 3))]
    if 0 in patch.shape:
        return
    down = np.arange(top, top + patch.shape[0], dtype=np.float32)[:, None] - np.float32(row)
    along = np.arange(left, left + patch.shape[1], dtype=np.float32)[None, :] - np.float32(column)
    np.maximum(patch, np.clip(np.float32(radius + 0.5) - np.hypot(down, along), 0, 1), out=patch)


def grain(shape: tuple[int, int], size: float, rng: np.random.Generator) -> Array:
    """Smooth random texture of mean 0 and deviation 1; `size` is the width of a grain in pixels."""
    return standard(blur(rng.standard_normal(shape, dtype=np.float32), size))


def cloud(shape: tuple[int, int], steepness: float, rng: np.random.Generator) -> Array:
    """Texture of all sizes at once, as clouds and glands have it: power falls as frequency^-steepness."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    return standard(np.fft.irfft2(spectrum * (_frequencies(shape) + 1 / shape[1]) ** (-steepness / 2), shape))


@cache
def _cloud_once(shape: tuple[int, int], steepness: float) -> Array:
    return cloud(shape, steepness, np.random.default_rng(1))


@cache
def _grain_once(shape: tuple[int, int], size: float) -> Array:
    return grain(shape, size, np.random.default_rng(2))


def blur(image: Array, width: float) -> Array:
    """A Gaussian blur; `width` is its deviation in pixels."""
    spectrum = np.fft.rfft2(image) * np.exp(-2 * (np.pi * width * _frequencies(image.shape)) ** 2)
    smooth: Array = np.fft.irfft2(spectrum, image.shape).astype(np.float32)
    return smooth


def standard(image: Array) -> Array:
    """Mean 0, deviation 1."""
    even: Array = ((image - image.mean()) / image.std()).astype(np.float32)
    return even


def _frequencies(shape: tuple[int, ...]) -> Array:
    rows = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    columns = np.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    return np.hypot(rows, columns)
