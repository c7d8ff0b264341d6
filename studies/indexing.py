"""Order and plane of a series, from the facts of its instances: pure functions, no pydicom.

Facts are those of `dicom.facts`, of untrusted files: any of them may be missing or absurd.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Facts = Mapping[str, Any]
Vector = tuple[float, float, float]

SAME_DIRECTION = 0.999  # cosine of 2.6 degrees: scanners write six digits, and some round
SAME_PLACE = 0.01  # mm
# What tells the stacks of one series apart: nothing; all that may; one alone, where the others vary within a stack.
TOLD_APART_BY = (
    (),
    ("temporal_position", "b_value", "echo_number", "acquisition_number"),
    ("temporal_position",),
    ("b_value",),
    ("echo_number",),
    ("acquisition_number",),
)
MOSTLY = 0.8  # cosine within which a slice is called axial, and so on


def series_order(instances: Sequence[Facts]) -> list[int]:
    """Places of the instances in the order in which a series is looked through.

    By position along the common normal of the slices, where they are parallel and each has its own place; it
    runs the way the instance numbers do. Where several lie at one place: stack after stack, as far as a time, a
    weighting, an echo or an acquisition tells them apart. Else, as in localizers and plain pictures, by instance
    number; then by SOP Instance UID, so that the order is the same every time.
    """
    by_number = sorted(range(len(instances)), key=lambda place: _numbered(instances[place]))
    for names in TOLD_APART_BY:
        order = _stack_after_stack(instances, by_number, names)
        if order is not None:
            return order
    return by_number


def _stack_after_stack(instances: Sequence[Facts], by_number: list[int], names: Sequence[str]) -> list[int] | None:
    """The stacks that these facts tell apart, in the order of their lowest numbers; None unless all are stacks."""
    stacks: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place in by_number:
        stacks[tuple(_plain(instances[place].get(name)) for name in names)].append(place)
    ordered = [_by_position(instances, stack) for stack in stacks.values()]
    if len(stacks) > 1 and min(map(len, stacks.values())) < 2:
        return None
    return [place for stack in ordered for place in stack] if all(ordered) else None


def _by_position(instances: Sequence[Facts], by_number: list[int]) -> list[int]:
    """One stack, the way its numbers run; empty where it is none."""
    positions = _positions([instances[place] for place in by_number])
    if positions is None:
        return []
    by_position = [place for _, place in sorted(zip(positions, by_number, strict=True))]
    first, last = (instances[by_position[end]].get("instance_number") for end in (0, -1))
    down = isinstance(first, int) and isinstance(last, int) and first > last
    return by_position[::-1] if down else by_position


def _plain(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e9 else None


def frame_order(frames: Sequence[Facts]) -> list[int]:
    """Places of an object's frames in the order in which they are looked through: stack after stack, each by position.

    "group" tells the stacks apart. What it cannot tell apart, frames at one place, are of one stack after the other:
    the first of each place, then the second, as for times or weightings that nobody named.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, frame in enumerate(frames):
        groups[tuple(frame["group"])].append(place)
    if len(groups) == len(frames):  # each frame by itself: that is a number, and no stack
        groups = {(): list(range(len(frames)))}
    return [place for group in sorted(groups) for place in _through(frames, groups[group])]


def _through(frames: Sequence[Facts], places: list[int]) -> list[int]:
    """One group by position, the way it was stored; as it was stored where its frames are not parallel."""
    positions = _distances([frames[place] for place in places])
    if positions is None:
        return places
    way = -1 if positions[0] > positions[-1] else 1
    by_position = sorted(range(len(places)), key=lambda at: way * positions[at])
    turn, turns = 0, {}
    for before, at in pairwise([by_position[0], *by_position]):
        turn = turn + 1 if before != at and abs(positions[at] - positions[before]) <= SAME_PLACE else 0
        turns[at] = turn
    return [places[at] for at in sorted(by_position, key=lambda at: turns[at])]


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
    positions = _distances(instances)
    if positions is None:
        return None
    ordered = sorted(positions)
    apart = all(after - before > SAME_PLACE for before, after in pairwise(ordered))
    return positions if apart else None


def _distances(instances: Sequence[Facts]) -> list[float] | None:
    """Distances in mm along the common normal; None unless the slices are parallel and each has a place."""
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
    return positions


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
