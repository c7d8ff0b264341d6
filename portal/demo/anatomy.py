"""Two bodies for the demo: a chest in Hounsfield units, a head in the greys of a magnet. Neither ever lived."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import cos, pi, radians, sin

import numpy as np

from portal.demo.drawing import Array, Canvas, Plane, Point, Solid, Tube, bundle

AIR, LUNG, FAT, MUSCLE, LIVER, BLOOD, MARROW, BONE = -1000, -860, -95, 55, 105, 210, 165, 760

CAVITY = Solid((0, 6, -25), (134, 90, 190), power=2.3)
SIDES = [Solid((-66, 8, -40), (78, 104, 168)), Solid((66, 8, -40), (78, 104, 166))]
MIDDLE = Solid((2, 10, -30), (30, 104, 240))


@dataclass(frozen=True)
class Skeleton:
    """The bones and pipes of the chest: the same for every plane."""

    ribs: Tube
    rib_marrow: Tube
    collar: Tube
    airway: Tube
    airway_wall: Tube
    vessels: Tube
    aorta: Tube
    veins: Tube


def nodule(millimetres: float) -> Tube:
    """In the upper part of the right lung, about so wide."""
    places = [(-82, -22, 62), (-79, -20, 65), (-84, -18, 63)]
    return Tube.through(places, [share * millimetres for share in (0.46, 0.54, 0.38)])


def chest(plane: Plane, seed: int, *, noise: float = 14.0, table: bool = True, millimetres: float = 13) -> Array:
    """One cut through the chest, in Hounsfield units; contrast medium is in the blood, a nodule of so many millimetres
    in the right lung."""
    canvas, bones = Canvas.blank(plane, AIR, seed), _skeleton()
    if table:
        _table(canvas)
    _trunk(canvas)
    lungs = _lungs(canvas, bones)
    canvas.tube(48, nodule(millimetres))
    _belly(canvas, lungs)
    _heart(canvas, bones)
    _bones(canvas, bones)
    canvas.tube(AIR, bones.airway)
    canvas.image += canvas.grain(0.7, noise)
    return canvas.image


def _table(canvas: Canvas) -> None:
    """The scanner's couch."""
    bowl = canvas.cover(Solid((0, 40, 0), (330, 112, 9000))) - canvas.cover(Solid((0, 38, 0), (328, 108, 9000)))
    canvas.paint(-420, np.clip(bowl, 0, 1) * (canvas.grid[1] > 110))


def _trunk(canvas: Canvas) -> None:
    """Skin, fat, muscle."""
    trunk = [Solid((0, 8, -40), (176, 122, 900), power=2.5), Solid((0, 20, 250), (185, 100, 130), power=2.6)]
    for half in trunk:
        canvas.solid(20, half)
    for half in trunk:
        x, y, z = half.radii
        canvas.solid(FAT, Solid(half.centre, (x - 2.5, y - 2.5, z), power=half.power))
    for half in trunk:
        x, y, z = half.radii
        canvas.solid(MUSCLE, Solid(half.centre, (x - 19, y - 15, z), power=half.power))
    for side in (-1, 1):
        canvas.solid(MUSCLE, Solid((side * 72, -92, 40), (62, 13, 85), turn=side * 14))
        canvas.solid(MUSCLE, Solid((side * 140, 40, 60), (16, 48, 150), turn=side * -16))
        canvas.solid(MUSCLE, Solid((side * 30, 104, -40), (24, 17, 400)))
    canvas.solid(FAT, Solid((0, 6, -25), (134, 92, 190), power=2.5))
    canvas.solid(FAT + 12, Solid((0, 0, -20), (60, 70, 170)))
    canvas.image += (canvas.image > AIR + 50) * canvas.texture(2.2, 6)


def _lungs(canvas: Canvas, bones: Skeleton) -> Array:
    """Air with vessels in it, heavier towards the back; returns the cover of both sides of the chest."""
    sides = np.maximum(canvas.cover(SIDES[0]), canvas.cover(SIDES[1]))
    both: Array = np.minimum(sides, canvas.cover(CAVITY)) * (1 - canvas.cover(MIDDLE))
    canvas.paint(LUNG + np.float32(0.35) * canvas.grid[1] + canvas.texture(1.6, 18), both)
    canvas.tube(45, bones.vessels, within=both)
    canvas.tube(-40, bones.airway_wall)
    return both


def _belly(canvas: Canvas, lungs: Array) -> None:
    """What pushes up from below: liver, stomach and spleen under the domes of the diaphragm."""
    inside = canvas.cover(Solid((0, 6, -25), (131, 90, 190), power=2.5))
    canvas.solid(MUSCLE, Solid((-66, 4, -196), (88, 104, 112), power=2.3), inside)
    canvas.solid(LIVER, Solid((-66, 4, -198), (86, 102, 111), power=2.3), inside)
    canvas.solid(MUSCLE, Solid((72, 6, -204), (84, 100, 106), power=2.3), inside)
    canvas.solid(FAT, Solid((72, 6, -206), (81, 97, 104), power=2.3), inside)
    canvas.solid(LIVER, Solid((20, -42, -168), (70, 38, 46)), inside)
    canvas.solid(118, Solid((100, 46, -170), (24, 42, 52), turn=25), inside)
    canvas.solid(60, Solid((62, -18, -168), (38, 42, 48)), inside)
    canvas.solid(AIR, Solid((62, -34, -160), (28, 20, 30)), inside)
    canvas.tube(BLOOD - 40, _inner_veins(), within=inside)


def _heart(canvas: Canvas, bones: Skeleton) -> None:
    """The heart with its four rooms, the great vessels, the gullet."""
    canvas.solid(FAT + 15, Solid((22, -26, -78), (68, 52, 62), turn=28))
    canvas.solid(95, Solid((26, -26, -80), (60, 45, 54), turn=28))
    canvas.solid(BLOOD, Solid((50, -22, -86), (27, 19, 36), turn=38))
    canvas.solid(BLOOD + 15, Solid((16, -50, -84), (32, 15, 38), turn=22))
    canvas.solid(BLOOD + 15, Solid((-26, -24, -76), (22, 26, 34)))
    canvas.solid(BLOOD, Solid((8, 12, -58), (32, 17, 24), turn=8))
    canvas.tube(BLOOD, bones.veins)
    canvas.tube(BLOOD + 10, bones.aorta)
    canvas.solid(30, Solid((6, 33, -20), (7, 5, 260)))


def _bones(canvas: Canvas, bones: Skeleton) -> None:
    """Spine, ribs, breastbone, shoulder blades."""
    z = canvas.grid[2]
    disc = np.clip(np.abs(np.mod(z + 500, 27) - 13.5) - 10.5, 0, 1.5) / 1.5
    for value, radii in ((BONE - 200, (17.5, 15.0, 400)), (MARROW, (15.0, 12.5, 400))):
        body = canvas.cover(Solid((0, 60, -40), radii, power=2.3))
        canvas.paint(np.broadcast_to(value + disc * (95 - value), canvas.image.shape), body)
    arch = canvas.cover(Solid((0, 84, -40), (14, 13, 400)))
    canvas.paint(BONE - 250, arch)
    canvas.solid(25, Solid((0, 82, -40), (9, 8.5, 400)))
    processes = 1 - np.clip(np.abs(np.mod(z + 500, 27) - 13.5) - 7, 0, 1.5) / 1.5
    canvas.paint(BONE - 300, canvas.cover(Solid((0, 104, -40), (3.5, 15, 400))) * processes)
    for side in (-1, 1):
        canvas.paint(BONE - 320, canvas.cover(Solid((side * 26, 86, -40), (19, 5, 400), turn=side * -25)) * processes)
        canvas.solid(BONE - 100, Solid((side * 108, 88, 78), (46, 4.5, 62), turn=side * -22))
    canvas.tube(BONE + 350, bones.ribs)
    canvas.tube(MARROW + 250, bones.rib_marrow)
    canvas.solid(BONE - 250, Solid((0, -90, 10), (17, 6.5, 78)))
    canvas.solid(MARROW - 60, Solid((0, -90, 10), (14, 4.0, 75)))
    canvas.tube(BONE, bones.collar)


@lru_cache(maxsize=1)
def shadow(pixels: int, seed: int, *, field: float = 400.0) -> Array:
    """The chest as a radiograph sees it from the front: attenuation summed along the rays, 0 for open air.

    `pixels` x `pixels` over `field` mm; the rays are parallel, and the body is the one of `chest`.
    """
    total = np.zeros((pixels, pixels), np.float32)
    cuts = max(12, pixels // 9)
    for y in np.linspace(-112, 128, cuts):
        plane = Plane("coronal", (0.0, float(y), -20.0), pixels, pixels, field / pixels, 240 / cuts)
        total += np.maximum(chest(plane, seed, noise=0, table=False) + 1000, 0)
    return total * np.float32(240 / cuts * 0.02 / 1000)  # water weakens by 0.02 a millimetre


@cache
def _skeleton() -> Skeleton:
    ribs = [_rib(number, side) for number in range(1, 12) for side in (-1, 1)]
    collar = [
        Tube.through(
            [(side * 14, -86, 92), (side * 58, -84, 108), (side * 104, -40, 116), (side * 142, 4, 130)],
            [8, 5.5, 5.5, 7],
        )
        for side in (-1, 1)
    ]
    trunk = [(0.0, 14.0, 300.0), (0.0, 16.0, 28.0)]
    main = [[(0.0, 16.0, 30.0), (side * 22.0, 16.0, 8.0), (side * 44.0, 14.0, -14.0)] for side in (-1, 1)]
    airway = [Tube.through(trunk, 8.5), *(Tube.through(way, [7.0, 6.0, 4.0]) for way in main)]
    rng = np.random.default_rng(7)
    tree = [tube for side in (-1, 1) for tube in _branches((side * 34.0, 6.0, -10.0), side, rng)]
    arch = [(2, -22, -48), (-16, -26, -10), (-14, -20, 30), (-2, -4, 52), (14, 18, 54), (24, 40, 36), (24, 46, 0),
            (20, 48, -90), (12, 48, -260)]  # fmt: skip
    lung_arteries = [(14, -46, -40), (16, -36, -8), (18, -18, 8)], [(18, -18, 8), (-18, -4, 4), (-46, 2, -6)]
    cava = [(-24, -16, -50), (-25, -14, 40), (-22, -20, 90), (30, -30, 120)]
    return Skeleton(
        ribs=bundle(ribs),
        rib_marrow=Tube(bundle(ribs).points, bundle(ribs).radii * np.float32(0.55)),
        collar=bundle(collar),
        airway=bundle(airway),
        airway_wall=Tube(bundle(airway).points, bundle(airway).radii + np.float32(1.8)),
        vessels=bundle(tree),
        aorta=Tube.through(arch, [15, 16, 15, 14, 13, 12.5, 12, 11, 10]),
        veins=bundle([
            *(Tube.through(way, [13, 12, 11]) for way in lung_arteries),
            Tube.through([(18, -18, 8), (46, 4, 2)], [11, 9]),
            Tube.through(cava, [11, 10, 8, 6]),
            Tube.through([(-24, 6, -90), (-22, 16, -260)], 12),
            *(Tube.through([(side * 14, 12, -56), (side * 50, 10, -50)], [8, 6]) for side in (-1, 1)),
        ]),
    )  # fmt: skip


def _rib(number: int, side: int) -> Tube:
    """From the spine around the side, falling towards the front, just outside the lungs."""
    end = 156 if number < 8 else 156 - 24 * (number - 7)
    points = [_on_the_cage(radians(angle), 150 - 25.0 * number, side) for angle in np.linspace(13, end, 30)]
    return Tube.through(points, [4.8] * 24 + [4.6, 4.4, 4.2, 4.0, 3.8, 3.6])


def _on_the_cage(turn: float, top: float, side: int) -> Point:
    """A point of the rib cage, `turn` from the spine; it follows the shape of the lungs at its height."""
    z = top - 74 * (turn / pi) ** 1.3
    (_, y, middle), (wide, deep, high), power = CAVITY.centre, CAVITY.radii, CAVITY.power
    narrow = max(0.06, 1 - (abs(z - middle) / (high + 12)) ** power) ** (1 / power)
    return (
        side * (wide * narrow + 5) * sin(turn) ** (2 / power),
        y + (deep * narrow + 4) * abs(cos(turn)) ** (2 / power) * (1 if cos(turn) > 0 else -1),
        z,
    )


def _branches(root: Point, side: int, rng: np.random.Generator) -> list[Tube]:
    """A tree of lung vessels that halves its way from the root outwards."""
    tubes: list[Tube] = []
    for lobe in (-0.9, -0.3, 0.3, 0.9, 1.4) * 4:
        aim = rng.normal(size=3) * 0.5 + (side * 0.7, 0, lobe)
        _grow(np.asarray(root, np.float32), _unit(aim), 4.0, 36.0, rng, tubes)
    return tubes


def _grow(start: Array, aim: Array, radius: float, length: float, rng: np.random.Generator, tubes: list[Tube]) -> None:
    """One branch, then its two or three children, thinner and shorter, until they are hairs."""
    bend = start + aim * length / 2 + rng.normal(size=3) * length * 0.05
    end = start + aim * length
    stops = [(float(x), float(y), float(z)) for x, y, z in (start, bend, end)]
    tubes.append(Tube.through(stops, [radius, radius * 0.88, radius * 0.72]))
    if radius < 0.75:
        return
    for _ in range(3 if radius > 2.5 else 2):
        child = _unit(aim + rng.normal(size=3) * 0.55)
        _grow(end, child, radius * float(rng.uniform(0.6, 0.76)), length * float(rng.uniform(0.68, 0.9)), rng, tubes)


def _unit(vector: Array) -> Array:
    unit: Array = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


@cache
def _inner_veins() -> Tube:
    """Vessels of the liver, running to the cava."""
    ends = [(-110, -20, -150), (-100, 40, -165), (-60, -50, -140), (-90, 10, -210), (-30, -40, -200)]
    return bundle(Tube.through([(-24, 12, -150), end], [5, 2]) for end in ends)
