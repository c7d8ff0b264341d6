from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.indexing import frame_order, plane, series_order

AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]


def slice_at(z: float, number: int | None = None, **facts: Any) -> dict[str, Any]:
    return {"image_orientation": AXIAL, "image_position": [0.0, 0.0, z], "instance_number": number, **facts}


def heights(instances: list[dict[str, Any]]) -> list[float]:
    return [instances[place]["image_position"][2] for place in series_order(instances)]


def numbers(instances: list[dict[str, Any]]) -> list[int | None]:
    return [instances[place].get("instance_number") for place in series_order(instances)]


def test_slices_are_ordered_by_position() -> None:
    stack = [slice_at(z) for z in (0.0, 2.5, 5.0, 7.5)]
    random.Random(1).shuffle(stack)
    assert heights(stack) == [0, 2.5, 5, 7.5]


def test_the_order_runs_as_the_facility_numbered_it() -> None:
    assert heights([slice_at(z, number) for number, z in enumerate((5, 10, 0), 1)]) == [10, 5, 0]
    assert heights([slice_at(z, 9 - number) for number, z in enumerate((0, 5, 10), 1)]) == [10, 5, 0]
    assert heights([slice_at(z, number) for number, z in enumerate((0, 5, 10), 1)]) == [0, 5, 10]


def test_interleaved_slices_come_out_by_position() -> None:
    assert heights([slice_at(z, number) for number, z in enumerate((0, 10, 5, 15), 1)]) == [0, 5, 10, 15]


def test_a_tilted_stack_is_ordered_along_its_own_normal() -> None:
    tilted = [1.0, 0.0, 0.0, 0.0, 0.8, -0.6]
    stack = [slice_at(0, n, image_orientation=tilted, image_position=[0, n * 0.6, n * 0.8]) for n in (3, 1, 2)]
    assert numbers(stack) == [1, 2, 3]


@pytest.mark.parametrize(
    "second",
    [
        slice_at(-5, 2, image_orientation=CORONAL),
        slice_at(5, 2),
        slice_at(5, 2, image_position=[]),
        slice_at(5, 2, image_position=[1e300, 0, 0]),
        slice_at(5, 2, image_orientation=[0.0] * 6),
        {"instance_number": 2},
    ],
    ids=["another plane", "the same place", "no position", "absurd position", "no direction", "no geometry"],
)
def test_what_is_no_stack_is_ordered_by_number(second: dict[str, Any]) -> None:
    assert numbers([slice_at(-9, 3), second, slice_at(5, 1)]) == [1, 2, 3]


def test_without_numbers_the_uid_decides_and_numbers_come_first() -> None:
    pictures: list[dict[str, Any]] = [{"sop_uid": "1.3"}, {"sop_uid": "1.2"}, {"sop_uid": "1.9", "instance_number": 7}]
    assert series_order(pictures) == [2, 1, 0]
    assert series_order([]) == []


@pytest.mark.parametrize(
    ("orientation", "name"),
    [
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (SAGITTAL, "sagittal"),
        ([1.0, 0.0, 0.0, 0.0, 0.94, -0.34], "axial"),
        ([1.0, 0.0, 0.0, 0.0, 0.7071, -0.7071], ""),
        ([], ""),
        (None, ""),
        (["x"] * 6, ""),
    ],
)
def test_a_plane_has_a_name_when_slices_are_near_it(orientation: Any, name: str) -> None:
    assert plane([{"image_orientation": orientation}] * 2) == name


def test_a_series_of_several_planes_has_no_plane() -> None:
    assert plane([{"image_orientation": AXIAL}, {"image_orientation": SAGITTAL}]) == ""
    assert plane([]) == ""


odd = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.floats(), max_size=7))


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["image_orientation", "image_position", "instance_number", "sop_uid"]),
            st.one_of(odd, st.just(AXIAL), st.lists(st.floats(-1, 1), min_size=3, max_size=3)),
        ),
        max_size=6,
    )
)
def test_any_facts_give_an_order(instances: list[dict[str, Any]]) -> None:
    assert sorted(series_order(instances)) == list(range(len(instances)))
    plane(instances)


def passes(**of_each: list[Any]) -> list[dict[str, Any]]:
    """Two stacks of three slices, numbered slice by slice, told apart by these facts."""
    return [
        slice_at(5.0 * place, 2 * place + turn + 1, **{name: values[turn] for name, values in of_each.items()})
        for place in range(3)
        for turn in range(2)
    ]


@pytest.mark.parametrize(
    "told_apart",
    [
        {"temporal_position": [1, 2]},
        {"b_value": [0.0, 1000.0]},
        {"echo_number": [1, 2], "acquisition_number": [1, 1]},
        {"acquisition_number": [7, 8], "temporal_position": [None, None]},
    ],
)
def test_stacks_of_one_series_follow_each_other(told_apart: dict[str, list[Any]]) -> None:
    assert heights(passes(**told_apart)) == [0, 5, 10, 0, 5, 10]
    assert numbers(passes(**told_apart)) == [1, 3, 5, 2, 4, 6]


def test_what_differs_from_slice_to_slice_makes_no_stacks() -> None:
    series = passes(b_value=[0.0, 500.0])
    for each in series:
        each["acquisition_number"] = each["instance_number"]
    assert numbers(series) == [1, 3, 5, 2, 4, 6], "by the weighting alone"
    for each in series:
        each["b_value"] = float(each["instance_number"])
    assert numbers(series) == [1, 2, 3, 4, 5, 6], "by number"


def test_a_stack_that_is_numbered_downwards_runs_so() -> None:
    series = passes(temporal_position=[1, 2])
    for each in series:
        each["instance_number"] = 7 - each["instance_number"]
    assert heights(series) == [10, 5, 0, 10, 5, 0]
    assert series[series_order(series)[0]]["temporal_position"] == 2, "the one with the lowest number comes first"


def frames(*said: tuple[float, tuple[float, ...]]) -> list[dict[str, Any]]:
    return [{**slice_at(z), "group": list(group)} for z, group in said]


@pytest.mark.parametrize(
    ("stored", "order"),
    [
        ([(0, ()), (5, ()), (10, ())], [0, 1, 2]),
        ([(10, ()), (0, ()), (5, ())], [0, 2, 1]),
        ([(0, ()), (10, ()), (5, ())], [0, 2, 1]),
        ([(0, (2.0,)), (0, (1.0,)), (5, (2.0,)), (5, (1.0,))], [1, 3, 0, 2]),
        ([(0, ()), (0, ()), (5, ()), (5, ())], [0, 2, 1, 3]),
        ([(0, (1.0,)), (5, (2.0,)), (10, (3.0,))], [0, 1, 2]),
        ([(0, (3.0,)), (10, (2.0,)), (5, (1.0,))], [0, 2, 1]),
    ],
    ids=["a stack", "downwards", "interleaved", "two times", "nobody says what", "numbers", "numbers, interleaved"],
)
def test_frames_of_one_object_are_looked_through_stack_by_stack(stored: list[Any], order: list[int]) -> None:
    assert frame_order(frames(*stored)) == order


def test_frames_that_are_not_parallel_stay_as_they_are() -> None:
    odd = frames((10, (1.0,)), (0, (1.0,)), (5, (2.0,)), (0, (2.0,)))
    odd[1]["image_orientation"] = CORONAL
    assert frame_order(odd) == [0, 1, 2, 3]
    assert frame_order([{"group": []}, {"group": []}]) == [0, 1]
