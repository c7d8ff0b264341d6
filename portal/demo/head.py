"""The demo's second body: a head in the greys of a magnet. It never lived."""

from __future__ import annotations

from typing import Literal

import numpy as np

from portal.demo.drawing import Array, Canvas, Plane, Solid, Tube

Weighting = Literal["T1", "T2"]

GREYS: dict[Weighting, dict[str, float]] = {
    "T1": {"air": 12, "fat": 780, "muscle": 330, "bone": 55, "fluid": 110, "grey": 400, "white": 590, "marrow": 600},
    "T2": {"air": 12, "fat": 640, "muscle": 190, "bone": 40, "fluid": 930, "grey": 480, "white": 330, "marrow": 460},
}
BRAIN = Solid((0, 6, 24), (68, 85, 66), power=2.2)
CEREBELLUM = Solid((0, 52, -28), (47, 30, 25), power=2.2)


def head(plane: Plane, weighting: Weighting, seed: int) -> Array:
    """One cut through the head, in arbitrary units from 0 to about 1000."""
    grey = GREYS[weighting]
    canvas = Canvas.blank(plane, grey["air"], seed)
    _scalp(canvas, grey)
    _face(canvas, grey)
    _neck(canvas, grey)
    _brain(canvas, grey)
    _deep(canvas, grey)
    _hindbrain(canvas, grey)
    return _magnet(canvas)


def _scalp(canvas: Canvas, grey: dict[str, float]) -> None:
    """Skin, fat, and the skull with marrow between its two tables."""
    for name, more in (("muscle", 13.5), ("fat", 12.0), ("muscle", 8.0), ("bone", 6.8), ("marrow", 4.8), ("bone", 3.0)):
        x, y, z = BRAIN.radii
        canvas.solid(grey[name], Solid(BRAIN.centre, (x + more, y + more, z + more), power=BRAIN.power))


def _face(canvas: Canvas, grey: dict[str, float]) -> None:
    """Everything below the brain's front: sinuses, eyes, nose, jaw, tongue."""
    skin = [
        Solid((0, -36, -58), (58, 58, 64), power=2.4),
        Solid((0, -88, -36), (10, 16, 20)),
        Solid((0, -2, -44), (70, 88, 52), power=2.5),
        Solid((0, 30, -110), (60, 54, 100), power=2.5),
    ]
    for name, less in (("muscle", 0.0), ("fat", 2.0), ("muscle", 8.0)):
        for part in skin:
            x, y, z = part.radii
            canvas.solid(grey[name], Solid(part.centre, (x - less, y - less, z - less), power=part.power))
    for side in (-1, 1):
        canvas.solid(grey["fat"] * 0.8, Solid((side * 44, -40, -50), (9, 22, 24)))
        canvas.solid(grey["bone"], Solid((side * 46, 34, -36), (18, 26, 18)))
        canvas.solid(grey["marrow"] * 0.5, Solid((side * 48, 36, -40), (9, 14, 10)))
        canvas.solid(grey["bone"], Solid((side * 50, -18, -62), (3.5, 14, 32)))
    canvas.solid(grey["muscle"] * 1.15, Solid((0, -44, -76), (26, 33, 18)))
    canvas.solid(grey["bone"], Solid((0, -76, -66), (24, 9, 5)))
    canvas.solid(grey["marrow"], Solid((0, -72, -98), (20, 9, 8)))
    for side in (-1, 1):
        canvas.solid(grey["air"], Solid((side * 27, -56, -42), (14, 17, 17)))
        canvas.solid(grey["air"], Solid((side * 7, -66, -42), (5, 30, 16)))
        canvas.solid(grey["fat"], Solid((side * 32, -60, -12), (19, 25, 18)))
        canvas.solid(grey["muscle"], Solid((side * 32, -70, -12), (14.5, 14.5, 14.5)))
        canvas.solid(grey["fluid"], Solid((side * 32, -70, -12), (13, 13, 13)))
        canvas.solid(grey["muscle"], Solid((side * 32, -81, -12), (5, 2.6, 5)))
        nerve = Tube.through([(side * 31, -57, -12), (side * 22, -36, -9), (side * 5, -20, -6)], 2.2)
        canvas.tube(grey["white"], nerve)
    canvas.solid(grey["air"], Solid((0, -82, 8), (18, 7, 12)))
    canvas.solid(grey["air"], Solid((0, -26, -24), (14, 12, 9)))


def _neck(canvas: Canvas, grey: dict[str, float]) -> None:
    """Muscles, throat, and the first vertebrae."""
    for side in (-1, 1):
        canvas.solid(grey["fat"], Solid((side * 22, 52, -92), (3, 22, 40), turn=side * 30))
        canvas.solid(grey["bone"], Solid((side * 34, 4, -96), (4, 4, 90)))
    canvas.solid(grey["air"], Solid((0, -10, -84), (11, 6, 42)))
    canvas.solid(grey["bone"], Solid((0, 16, -100), (16, 11, 60)))
    gaps = np.clip(np.abs(np.mod(canvas.grid[2] + 400, 21) - 10.5) - 8.2, 0, 1)
    inner = canvas.cover(Solid((0, 16, -104), (13.5, 8.5, 58)))
    canvas.paint(grey["marrow"] * 0.8 + gaps * (grey["bone"] - grey["marrow"] * 0.8), inner)
    canvas.solid(grey["fluid"], Solid((0, 36, -100), (9, 8, 80)))
    canvas.solid(grey["muscle"], Solid((0, 62, -90), (36, 14, 40)))


def _brain(canvas: Canvas, grey: dict[str, float]) -> None:
    """White matter inside, a folded ribbon of grey around it, fluid in the furrows and between the halves."""
    depth = BRAIN.distance(canvas.grid)
    outside = [Solid((0, -66, -40), (60, 46, 34)), Solid((0, 4, -46), (24, 60, 44)), Solid((0, 62, -44), (62, 52, 34))]
    inside = canvas.cover(BRAIN) * np.prod([1 - canvas.cover(part) for part in outside], axis=0)
    x, y, z = canvas.grid
    folds = _folds(x, y, z)
    shallow = np.clip((depth - 0.46) / 0.46, 0, 1)
    furrow = _ramp(np.float32(0.16) + np.float32(0.20) * shallow - np.abs(folds), 0.10) * _ramp(shallow - 0.40, 0.3)
    ribbon = _ramp(np.float32(0.80) * shallow + np.float32(0.22) - np.abs(folds), 0.16) * _ramp(shallow - 0.12, 0.2)
    rim = _ramp(depth - 0.955, 0.02)
    tissue = grey["white"] + (grey["grey"] - grey["white"]) * np.maximum(ribbon, _ramp(depth - 0.90, 0.03))
    tissue = tissue + (grey["fluid"] - tissue) * np.maximum(furrow, rim)
    cleft = _ramp(1.3 + 1.2 * np.clip((depth - 0.75) * 4, 0, 1) - np.abs(x + 0.8 * np.sin(y * 0.11)), 0.8)
    apart = cleft * _ramp(z - 40, 3)
    apart = np.maximum(apart, cleft * _ramp(np.abs(y - 4) - 46, 4) * _ramp(z + 14, 4))
    canvas.paint(tissue + (grey["fluid"] - tissue) * apart, inside)


def _folds(x: Array, y: Array, z: Array) -> Array:
    """A maze in space whose zero surfaces wind like the furrows of a brain: a bent gyroid."""
    side = np.abs(x)
    u = np.float32(0.225) * (side + 5 * np.sin(y * 0.085) + 4 * np.sin(z * 0.10 + 1.0))
    v = np.float32(0.215) * (y + 5 * np.sin(z * 0.09 + 0.4) + 4 * np.sin(side * 0.11) + 2.5 * np.sign(x))
    w = np.float32(0.225) * (z + 5 * np.sin(side * 0.09 + 2.0) + 4 * np.sin(y * 0.08))
    maze: Array = np.sin(u) * np.cos(v) + np.sin(v) * np.cos(w) + np.sin(w) * np.cos(u)
    return maze


def _deep(canvas: Canvas, grey: dict[str, float]) -> None:
    """Corpus callosum, ventricles, the grey islands beside them."""
    canvas.solid(grey["white"] * 1.04, Solid((0, 4, 24), (30, 40, 20)))
    for side in (-1, 1):
        canvas.solid(grey["grey"] * 1.06, Solid((side * 29, 0, 12), (7.5, 19, 12), turn=side * 12))
        canvas.solid(grey["grey"] * 1.12, Solid((side * 11, 16, 14), (9, 15, 11), turn=side * -22))
        horn = [(side * 15, -30, 18), (side * 8, -14, 26), (side * 10, 8, 32), (side * 17, 30, 26), (side * 26, 44, 12),
                (side * 32, 26, -6), (side * 33, 6, -12)]  # fmt: skip
        canvas.tube(grey["fluid"], Tube.through(horn, [4, 6.5, 6, 7, 6, 3, 2]))
        canvas.solid(grey["grey"] * 1.06, Solid((side * 14.5, -15, 22), (5, 12, 8), turn=side * 12))
        canvas.solid(grey["fluid"], Solid((side * 42, -6, 4), (1.6, 26, 16), turn=side * -8))
    canvas.solid(grey["fluid"], Solid((0, 8, 12), (2.2, 15, 9)))
    ways = [(0, -32, 16), (0, -34, 26), (0, -24, 36), (0, 0, 43), (0, 24, 40), (0, 36, 30), (0, 34, 24)]
    canvas.tube(grey["white"] * 1.08, Tube.through(ways, [3.5, 5, 4.5, 4, 4, 6, 5]))


def _hindbrain(canvas: Canvas, grey: dict[str, float]) -> None:
    """Brain stem, cerebellum with its leaves, pituitary, the fluid around them."""
    canvas.solid(grey["fluid"], Solid((0, 42, -28), (51, 43, 28)))
    canvas.solid(grey["fluid"], Solid((0, -2, -12), (20, 20, 10)))
    canvas.solid(grey["bone"], Solid((0, 0, -36), (15, 15, 20)))
    canvas.solid(grey["marrow"], Solid((0, 2, -38), (11, 9, 15)))
    canvas.solid(grey["grey"], CEREBELLUM)
    x, y, z = canvas.grid
    leaves = np.sin((z * 1.15 - np.abs(x) * 0.35 + (y - 58) * 0.4) * 0.95)
    depth = CEREBELLUM.distance(canvas.grid)
    canvas.paint(grey["fluid"], canvas.cover(CEREBELLUM) * _ramp(leaves - 0.62, 0.3) * _ramp(depth - 0.55, 0.2) * 0.75)
    for side in (-1, 1):
        canvas.solid(grey["white"], Solid((side * 20, 50, -28), (19, 12, 8), turn=side * 20))
        canvas.solid(grey["white"], Solid((side * 10, 28, 0), (8, 12, 9)))
    stem = [(0, 14, 8), (0, 18, -6), (0, 22, -24), (0, 28, -44), (0, 34, -70), (0, 36, -160)]
    canvas.tube(grey["white"] * 0.95, Tube.through(stem, [13, 13, 14, 10, 6.5, 6]))
    canvas.solid(grey["white"] * 0.92, Solid((0, 14, -22), (15, 11, 13)))
    canvas.solid(grey["fluid"], Solid((0, 37, -24), (7, 4.5, 12)))
    canvas.solid(grey["grey"] * 1.2, Solid((0, -14, -12), (6, 5, 4)))


def _magnet(canvas: Canvas) -> Array:
    """What the scanner adds: coils that hear unevenly, and noise that is never negative."""
    x, y, z = canvas.grid
    hearing = 1 + 0.10 * np.cos(x / 70) * np.cos(y / 90) - 0.0012 * (y + 0.3 * z)
    image = canvas.image * np.where(canvas.image > 20, hearing, 1) + canvas.texture(1.8, 7) * (canvas.image > 60)
    heard: Array = np.hypot(image + canvas.grain(0.6, 13), canvas.grain(0.6, 13)).astype(np.float32)
    return heard


def _ramp(value: Array, width: float) -> Array:
    """0 below zero, 1 above `width`, a slope between."""
    slope: Array = np.clip(value / np.float32(width), 0, 1).astype(np.float32)
    return slope
