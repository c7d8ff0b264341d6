"""Pictures that are not cuts through a body: a mammogram, a beating heart under ultrasound. Nobody's, both."""

from __future__ import annotations

from math import cos, pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portal.demo.drawing import Array, blur, cloud, grain

Picture = NDArray[np.uint8]
Angle = Literal["CC", "MLO"]


def breast(rows: int, columns: int, angle: Angle, seed: int) -> Array:
    """A breast as X-rays see it: brightness 0 to 1, the chest wall along the left edge of the picture."""
    rng = np.random.default_rng(seed)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(0, columns / rows * 2, columns, dtype=np.float32)[None, :]
    sag = np.float32(0.10 if angle == "MLO" else 0.0)
    depth = _outline(x, y - sag, rng)
    thickness = np.clip(depth / 0.16, 0, 1) ** 0.5
    image = 0.30 * thickness * (1 + 0.05 * cloud((rows, columns), 2.4, rng))
    image += _glands(x, y - sag, depth, rng)
    image += 0.10 * _ridges((rows, columns), rows / 40, rng) * np.clip(depth / 0.2, 0, 1)
    image += 0.16 * np.exp(-(((depth - 0.006) / 0.008) ** 2))
    image = np.maximum(image, 0) * (depth > 0)
    if angle == "MLO":
        image = _muscle(image, x, y, rng)
    _calcify(image, rng)
    even: Array = np.clip(blur(image, 0.8) + 0.006 * grain((rows, columns), 0.6, rng), 0, 1).astype(np.float32)
    return even


def _outline(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """How deep a point lies under the skin, about 0 at the skin, negative outside."""
    wave = 0.015 * np.sin(3 * y + rng.uniform(0, 6))
    round_edge = 1 - np.sqrt((x / (1.02 + wave)) ** 2 + np.abs(y / 0.82) ** 2.3)
    nipple = 1 - np.sqrt(((x - 1.0) / 0.075) ** 2 + (y / 0.05) ** 2)
    deep: Array = np.maximum(round_edge, 0.05 * nipple).astype(np.float32)
    return deep


def _glands(x: Array, y: Array, depth: Array, rng: np.random.Generator) -> Array:
    """Glandular tissue: clouds that gather in a cone behind the nipple."""
    cone = np.exp(-(((x - 0.52) / 0.34) ** 2) - (y / (0.18 + 0.34 * np.clip(1 - x, 0, 1))) ** 2)
    clouds = cloud(depth.shape, 3.0, rng) + 0.55 * _ridges(depth.shape, depth.shape[0] / 70, rng)
    dense = 1 / (1 + np.exp(-2.2 * (clouds - 0.9 + 2.0 * cone)))
    tissue: Array = (0.36 * dense * cone**0.6 * np.clip(depth / 0.12, 0, 1)).astype(np.float32)
    return tissue


def _ridges(shape: tuple[int, int], size: float, rng: np.random.Generator) -> Array:
    """Thin curved strands: where smooth noise changes its sign."""
    strands: Array = np.exp(-np.abs(grain(shape, size, rng)) * 7) + 0.6 * np.exp(
        -np.abs(grain(shape, size / 2, rng)) * 7
    )
    return strands


def _muscle(image: Array, x: Array, y: Array, rng: np.random.Generator) -> Array:
    """The chest muscle in the upper corner, as an oblique view has it."""
    edge = 0.52 - (y + 1) * 0.46 - x + 0.02 * np.sin(5 * y)
    muscle = np.clip(edge / 0.05, 0, 1) * np.clip((edge + 0.3) / 0.5, 0.75, 1.1)
    bright: Array = image + muscle * (0.62 + 0.02 * cloud(image.shape, 2.6, rng) - image) * 0.85
    return bright


def _calcify(image: Array, rng: np.random.Generator) -> None:
    """A few round, harmless grains of chalk."""
    rows, columns = image.shape
    for _ in range(4):
        row, column = int(rows * rng.uniform(0.35, 0.65)), int(columns * rng.uniform(0.15, 0.5))
        size = max(1, rows // 420)
        image[row : row + size, column : column + size] += 0.35


def heartbeat(rows: int, columns: int, frames: int, seed: int) -> list[Picture]:
    """A heart under ultrasound, one beat in `frames` pictures, (rows, columns, 3) uint8; flow is red and blue."""
    rng = np.random.default_rng(seed)
    depth, angle, fan = _fan(rows, columns)
    side, down = depth * np.sin(angle), depth * np.cos(angle)
    shape = (rows, columns)
    speckle = np.hypot(grain(shape, 1.1, rng), grain(shape, 1.1, rng)) * 0.9
    haze = cloud(shape, 2.4, rng)
    near = _lines(depth, angle)
    return [_frame(side, down, depth, fan, speckle, haze, near, 2 * pi * number / frames) for number in range(frames)]


def _fan(rows: int, columns: int) -> tuple[Array, Array, Array]:
    """Depth (0 to 1) and angle (radians) of each pixel, and whether the probe sees it."""
    y = (np.arange(rows, dtype=np.float32)[:, None] / rows - 0.06) / 0.88
    x = (np.arange(columns, dtype=np.float32)[None, :] - columns / 2) / (rows * 0.88)
    depth, angle = np.hypot(x, y).astype(np.float32), np.arctan2(x, y).astype(np.float32)
    seen = np.clip((0.66 - np.abs(angle)) * 60, 0, 1) * np.clip((1 - depth) * 80, 0, 1) * np.clip(depth * 60 - 1, 0, 1)
    return depth, angle, seen.astype(np.float32)


def _lines(depth: Array, angle: Array) -> Array:
    """The bright bands right under the probe."""
    near: Array = np.exp(-depth / 0.07) * (0.6 + 0.4 * np.cos(depth * 260 + 2 * np.cos(angle * 5)))
    return near


def _frame(
    side: Array, down: Array, depth: Array, fan: Array, speckle: Array, haze: Array, near: Array, phase: float
) -> Picture:
    """One picture: four chambers that swell and shrink, walls, valves that open, and the flow between."""
    squeeze = 0.5 - 0.5 * cos(phase)
    left = _room(side - 0.125, down - 0.42, 0.125 - 0.035 * squeeze, 0.225 - 0.05 * squeeze, -0.16)
    right = _room(side + 0.155, down - 0.45, 0.090 - 0.025 * squeeze, 0.185 - 0.04 * squeeze, 0.20)
    left_hall = _room(side - 0.10, down - 0.79, 0.115 + 0.02 * squeeze, 0.12 + 0.02 * squeeze, 0.0)
    right_hall = _room(side + 0.15, down - 0.78, 0.11 + 0.018 * squeeze, 0.115 + 0.018 * squeeze, 0.0)
    rooms = np.minimum(np.minimum(left, right), np.minimum(left_hall, right_hall))
    muscle = np.clip((0.075 - np.abs(rooms - 0.035)) * 22, 0, 1)
    rim = np.exp(-((rooms / 0.010) ** 2))
    shell = np.exp(-(((rooms - 0.11) / 0.012) ** 2))
    echo = 0.07 + 0.03 * haze + 0.17 * muscle * (1 + 0.35 * haze) + 0.30 * rim + 0.42 * shell * (1 + 0.3 * haze)
    echo = np.where(rooms < 0, 0.012 + 0.25 * rim, np.maximum(echo, 0.01))
    for middle, mirror in ((0.115, 1.0), (-0.145, -1.0)):
        echo = echo + 0.7 * _valve(side - middle, down - 0.645, mirror, 1 - squeeze)
    edges = 1 - 0.75 * np.clip(np.abs(side / np.maximum(down, 0.05)) / 0.78, 0, 1) ** 4
    grey = np.clip((echo * speckle + 0.22 * near * speckle) * edges * (1.1 - 0.35 * depth), 0, 1) ** 0.7 * fan
    return _coloured(grey, side, down, rooms, fan, squeeze)


def _room(side: Array, down: Array, wide: float, long: float, lean: float) -> Array:
    """Roughly the distance from a chamber's wall, negative inside."""
    across = side + lean * down
    away: Array = (np.sqrt((across / wide) ** 2 + (down / long) ** 2) - 1) * min(wide, long)
    return away


def _valve(side: Array, down: Array, mirror: float, closed: float) -> Array:
    """Two leaflets between hall and chamber, flat when closed, hanging into the chamber when open."""
    reach = 0.085
    hang = np.abs(down + (1 - closed) * 0.75 * (reach - np.abs(side)))
    leaf: Array = 0.8 * np.exp(-((hang / 0.009) ** 2)) * (np.abs(side * mirror) < reach)
    return leaf


def _coloured(grey: Array, side: Array, down: Array, rooms: Array, fan: Array, squeeze: float) -> Picture:
    """Doppler, in the rooms only: blood that comes nearer is red, blood that leaves is blue."""
    jet = np.exp(-(((side - 0.115) / (0.05 + 0.05 * np.abs(down - 0.62))) ** 2) - ((down - 0.60) / 0.17) ** 2)
    speed = jet * (1 - 2 * squeeze)
    shown = np.clip((np.abs(speed) - 0.22) * 8, 0, 1) * np.clip(0.4 - rooms * 40, 0, 1) * fan
    grey = grey * (1 - shown)
    towards, away = np.clip(speed, 0, 1), np.clip(-speed, 0, 1)
    red, green, blue = 0.35 * (speed > 0) + towards, np.maximum(towards, away) ** 2 * 0.8, 0.4 * (speed < 0) + away
    picture = np.stack([grey + shown * colour for colour in (red, green, blue)], axis=-1)
    coloured: Picture = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return coloured
