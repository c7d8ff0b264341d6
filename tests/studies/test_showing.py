from __future__ import annotations

from typing import Any

import pytest

from studies import sandbox, showing
from studies.models import Instance
from studies.showing import BATCH_BYTES, BATCH_FRAMES, Asked, can_be_sent

PREVIEW = ("preview",)


def an_instance(pk: int = 1, *, length: int = 1000, side: int = 10, frames: int = 1, **more: Any) -> Instance:
    facts = {"rows": side, "columns": side}
    return Instance(pk=pk, length=length, frame_count=frames, facts=facts, **more)


def sizes(asked: list[Asked]) -> list[int]:
    return [len(batch) for batch in showing._batches(asked)]


def test_small_pictures_go_together() -> None:
    assert sizes([Asked(an_instance(n), 0, PREVIEW) for n in range(10)]) == [10]


@pytest.mark.parametrize(
    "large", [{"length": BATCH_BYTES // 2}, {"side": 5000}], ids=["bytes of files", "pixels to decode"]
)
def test_large_ones_go_a_few_at_a_time(large: dict[str, int]) -> None:
    assert max(sizes([Asked(an_instance(n, **large), 0, PREVIEW) for n in range(6)])) <= 2


def test_one_too_large_for_a_batch_goes_alone() -> None:
    huge = an_instance(2, length=BATCH_BYTES * 3)
    around = [an_instance(1), huge, an_instance(3)]
    assert sizes([Asked(one, 0, PREVIEW) for one in around]) == [1, 1, 1]


def test_a_file_sent_whole_counts_once_for_all_its_frames() -> None:
    film = an_instance(length=BATCH_BYTES - 1, frames=50)
    assert sizes([Asked(film, frame, PREVIEW) for frame in range(50)]) == [50]


def test_a_long_film_goes_in_pieces() -> None:
    film = an_instance(length=BATCH_BYTES * 4, frames=400, pixel_offset=100)
    film.frames = b"known"
    batches = sizes([Asked(film, frame, PREVIEW) for frame in range(400)])
    assert sum(batches) == 400
    assert max(batches) <= 100


def test_a_batch_has_so_many_frames_at_most() -> None:
    film = an_instance(frames=1000)
    assert max(sizes([Asked(film, frame, PREVIEW) for frame in range(1000)])) == BATCH_FRAMES


def test_pictures_of_other_sizes_go_together() -> None:
    instances = [Asked(an_instance(n), 0, ("thumbnail", "preview") if n == 1 else PREVIEW) for n in range(3)]
    assert sizes(instances) == [3]


def test_a_file_too_large_to_send_is_shown_only_in_pieces() -> None:
    whole = an_instance(length=showing.MOST_BYTES + 1, frames=2)
    assert not can_be_sent(whole)
    whole.frames, whole.pixel_offset = b"known", 100
    assert can_be_sent(whole)


@pytest.mark.parametrize(
    "said",
    [
        {"pictures": [], "refused": []},
        {"pictures": [{"instance": 0, "frame": 0, "size": "huge", "blob": 0, "width": 1, "height": 1}], "refused": []},
        {
            "pictures": [{"instance": 7, "frame": 0, "size": "preview", "blob": 0, "width": 1, "height": 1}],
            "refused": [],
        },
    ],
)
def test_an_answer_to_another_question_shows_nothing(said: dict[str, Any]) -> None:
    tell = showing._told(sandbox.Result(said, [b"jpeg"]))
    shown = tell(0, Asked(an_instance(), 0, PREVIEW))
    assert (shown.pictures, shown.refused) == ({}, "unreadable")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {
            "pictures": [{"instance": 0, "frame": 0, "size": "preview", "blob": 9, "width": 1, "height": 1}],
            "refused": [],
        },
        {
            "pictures": [{"instance": 0, "frame": 0, "size": "preview", "blob": 0, "width": "x", "height": 1}],
            "refused": [],
        },
        {"pictures": [3], "refused": []},
        {"pictures": [], "refused": [{"instance": 0, "frame": 0, "code": {}}]},
    ],
)
def test_an_answer_that_makes_no_sense_is_no_answer(said: dict[str, Any]) -> None:
    with pytest.raises(sandbox.SandboxDied):
        showing._told(sandbox.Result(said, [b"jpeg"]))
