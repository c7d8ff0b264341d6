"""Order and plane of a series, from the facts of its instances: pure functions, no pydicom.

Facts are those of `dicom.facts`, of untrusted files: any of them may be missing or absurd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Facts = Mapping[str, Any]
Vector = tuple[float, float, float]

SAME_DIRECTION = 0.999  # cosine of 2.6 degrees: scanners write six digits, and some round
SAME_PLACE = 0.01  # mm
MOSTLY = 0.8  # cosine within which a slice is called axial, and so on


def series_order(instances: Sequence[Facts]) -> list[int]:
    """Places of the instances in the order in which a series is looked through.

    By position along the common normal of the slices, where they are parallel and each has its own place; it
    runs the way the instance numbers do. Else, as in localizers, time series and plain pictures, by instance
    number; then by SOP Instance UID, so that the order is the same every time.
    """
    by_number = sorted(range(len(instances)), key=lambda place: _numbered(instances[place]))
    positions = _positions(instances)
    if positions is None:
        return by_number
    by_position = sorted(by_number, key=lambda place: positions[place])
    first, last = (instances[by_position[end]].get("instance_number") for end in (0, -1))
    down = isinstance(first, int) and isinstance(last, int) and first > last
    return by_position[::-1] if down else by_position


def plane(instances: Sequence[Facts]) -> str:
    """ "axial", "coronal" or "sagittal" when all slices are about that, else "" (PS3.3 §C.7.6.2.1.1)."""
    planes = {_plane(instance) for instance in instances}
    return planes.pop() if len(planes) == 1 else ""


def _numbered(instance: Facts) -> tuple[bool, int, str]:
    number = instance.get("instance_number")
    uid = str(instance.get("sop_uid") or "")
    return (False, number, uid) if isinstance(number, int) else (True, 0, uid)


def _positions(instances: Sequence[Facts]) -> list[float] | None:
    """Distances in mm along the common normal; None unless the slices form one stack."""
    normals = [_normal(instance) for instance in instances]
    first = normals[0] if normals else None
    if first is None:
        return None
    positions = []
    for instance, normal in zip(instances, normals, strict=True):
        corner = _vector(instance.get("image_position"))
        if normal is None or corner is None or _dot(first, normal) < SAME_DIRECTION:
            return None
        positions.append(_dot(first, corner))
    ordered = sorted(positions)
    apart = all(after - before > SAME_PLACE for before, after in pairwise(ordered))
    return positions if apart else None


def _plane(instance: Facts) -> str:
    normal = _normal(instance)
    for name, part in zip(("sagittal", "coronal", "axial"), normal or (), strict=False):
        if abs(part) >= MOSTLY:
            return name
    return ""


def _normal(instance: Facts) -> Vector | None:
    """The unit vector across the slice, from its row and column directions."""
    said = instance.get("image_orientation")
    row, column = (_vector(said[:3]), _vector(said[3:])) if isinstance(said, list) else (None, None)
    if row is None or column is None:
        return None
    (a, b, c), (d, e, f) = row, column
    across = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = _dot(across, across) ** 0.5
    if not 0.5 < length < 1.5:  # not two directions at right angles
        return None
    return across[0] / length, across[1] / length, across[2] / length


def _vector(said: Any) -> Vector | None:
    match said:
        case [int() | float() as x, int() | float() as y, int() | float() as z]:
            return (x, y, z) if all(abs(part) < 1e6 for part in (x, y, z)) else None  # so no NaN
    return None


def _dot(left: Vector, right: Vector) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
