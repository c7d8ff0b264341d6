"""Ask the sandbox for pictures, a bounded batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from studies import sandbox
from studies.apart import UNREADABLE, ask_in_turns
from studies.frames import decode_frames
from studies.jobs import Hold
from studies.models import Instance
from studies.refusals import SENTENCES
from studies.sandbox import SandboxDied, SandboxRefused
from studies.store import objects
from studies.store.damage import Damaged

logger = logging.getLogger("lightbox.sandbox")

# What one child is given at most, so that it and we stay small and it is done long before the hold ends.
# Small enough, too, for several children to share the work on one study.
BATCH_BYTES: Final = 16 * 2**20
BATCH_PIXELS: Final = 48 * 10**6
BATCH_FRAMES: Final = 256
MOST_LOOKED_AT: Final = 24
"""Frames of a series by which its range is found."""
SECONDS: Final = 30
# A file whose frames nobody could tell apart can only be sent whole.
MOST_BYTES: Final = 512 * 2**20
# More of a frame is never shown; a header may claim so many such frames that refusing each one takes minutes.
MOST_PIXELS: Final = 256 * 2**20

WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
MOST_SLIDE_BYTES: Final = 64 * 2**20
"""Of one level; a larger one shows no more on a screen than a smaller one does."""

NONSENSE: Final = "its answer makes no sense"

SIZES: Final = {"thumbnail": 256, "preview": 1024}
"""Longest side in pixels."""


@dataclass(frozen=True)
class Asked:
    """One frame (from 0) of an instance, wanted at these sizes; maybe by a presentation state, or over the range of a
    series whose pictures give no window."""

    instance: Instance
    frame: int
    sizes: tuple[str, ...]
    state: Instance | None = None
    stretch: tuple[float, float] | None = None

    @property
    def group(self) -> tuple[Any, ...]:
        """What goes together as frames of one file."""
        return self.instance.pk, self.sizes, self.state and self.state.pk


@dataclass(frozen=True)
class Picture:
    """One file: WebP or JPEG."""

    content: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """The pictures of one frame by size, or the code of the reason why there are none."""

    pictures: dict[str, Picture]
    refused: str = ""


def show(asked: Iterable[Asked], hold: Hold) -> Generator[Shown]:
    """Yield the answer to each, in order. Raises `jobs.Lost`, `StorageUnavailable`, `SandboxDied`."""
    # `_ask` by its name at each call: who asks is looked up late.
    return ask_in_turns(_batches(asked), lambda batch: _ask(batch), lambda one, code: Shown({}, code), hold)


def _batches(asked: Iterable[Asked]) -> Iterator[list[Asked]]:
    batch: list[Asked] = []
    size = pixels = 0
    for one in asked:
        more_size, more_pixels = _bytes(one, batch), _decoded(one.instance)
        full = size + more_size > BATCH_BYTES or pixels + more_pixels > BATCH_PIXELS or len(batch) >= BATCH_FRAMES
        if batch and full:
            yield batch
            batch, size, pixels = [], 0, 0
            more_size = _bytes(one, batch)
        batch.append(one)
        size, pixels = size + more_size, pixels + more_pixels
    if batch:
        yield batch


def _bytes(one: Asked, batch: list[Asked]) -> int:
    """What this frame adds to a batch: its own bytes, or the whole file the first time; and its state."""
    if batch and batch[-1].group == one.group and not _in_pieces(one.instance):
        return 0
    more = one.state.length if one.state else 0
    return more + one.instance.length // (one.instance.frame_count if _in_pieces(one.instance) else 1)


def _pixels(instance: Instance) -> int:
    rows, columns = instance.facts.get("rows"), instance.facts.get("columns")
    return rows * columns if isinstance(rows, int) and isinstance(columns, int) else 0


def _decoded(instance: Instance) -> int:
    """The pixels of one picture: those of a slide are in all its tiles."""
    return _pixels(instance) * (instance.frame_count if is_slide(instance) else 1)


def is_slide(instance: Instance) -> bool:
    """Whether its frames are the tiles of one picture: see `rendering.slides`."""
    return instance.sop_class_uid == WHOLE_SLIDE and instance.frame_count > 1


def can_be_sent(instance: Instance) -> bool:
    """Whether the sandbox can be given enough of the instance to show one frame, and one frame is not too much."""
    if _pixels(instance) > MOST_PIXELS:
        return False
    if is_slide(instance):
        return instance.length <= MOST_SLIDE_BYTES
    if not _in_pieces(instance):
        return instance.length <= MOST_BYTES
    return (instance.pixel_offset or 0) + instance.length // instance.frame_count <= MOST_BYTES


def _in_pieces(instance: Instance) -> bool:
    return bool(instance.frames and instance.pixel_offset) and instance.frame_count > 1 and not is_slide(instance)


def _ask(batch: Sequence[Asked]) -> list[Shown]:
    groups = [list(group) for _, group in groupby(batch, key=lambda one: one.group)]
    instances, blobs = _put(groups)
    result = sandbox.run("render", {"instances": instances}, blobs, seconds=SECONDS)
    told = _told(result)
    return [told(number, one) for number, group in enumerate(groups) for one in group]


def _put(groups: Iterable[Sequence[Asked]]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The question as the sandbox understands it, and the bytes that go along."""
    instances: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    with objects.Shelf() as shelf:
        for group in groups:
            one, frames = group[0], [each.frame for each in group]
            state = [shelf.read(one.state.pack, one.state.offset, one.state.length)] if one.state else []
            pieces = [*state, *parts(shelf, one.instance, frames)]
            said = {"frames": frames, "parts": len(pieces), "state": bool(state), "stretch": one.stretch}
            instances.append({**said, "sizes": {size: SIZES[size] for size in one.sizes}})
            blobs += pieces
    return instances, blobs


def range_over(asked: Sequence[Asked]) -> tuple[float, float] | None:
    """The range of brightness that fits all of these; None where they say themselves how they are to be shown.

    Asks about fewer of them, as evenly chosen, when all are too much for one child. A child that dies over them has
    told nothing; whose fault it is comes out when each is shown.
    """
    for count in (MOST_LOOKED_AT, MOST_LOOKED_AT // 2, MOST_LOOKED_AT // 4, 2, 1):
        some = _evenly(asked, count)
        if count == 1 or len(list(_batches(some))) == 1:
            break
    instances, blobs = _put([one] for one in some)
    try:
        found = sandbox.run("range", {"instances": instances}, blobs, seconds=SECONDS).values.get("range")
    except (SandboxDied, SandboxRefused, Damaged) as failed:
        logger.warning("no common range for %d pictures: %s", len(some), type(failed).__name__)
        return None
    match found:
        case [int() | float() as low, int() | float() as high] if low <= high:
            return float(low), float(high)
    return None


def _evenly(asked: Sequence[Asked], count: int) -> list[Asked]:
    count = min(count, len(asked))
    return [asked[(2 * place + 1) * len(asked) // (2 * count)] for place in range(count)]


def parts(shelf: objects.Shelf, instance: Instance, frames: list[int]) -> list[bytes]:
    """The whole file; or its header, and the stored bytes of each frame."""

    def read(offset: int, length: int) -> bytes:
        return shelf.read(instance.pack, instance.offset + offset, length)

    if not _in_pieces(instance):
        return [read(0, instance.length)]
    places = decode_frames(bytes(instance.frames or b""))
    fragments = [[read(*fragment) for fragment in places[frame]] for frame in frames]
    return [read(0, instance.pixel_offset or 0), *map(b"".join, fragments)]


def _told(result: sandbox.Result) -> Callable[[int, Asked], Shown]:
    """Understand an answer that may be a lie: whatever is not there and whole is a refusal.

    One that makes no sense is as good as none, and raises SandboxDied: whose file it was will be found apart.
    """
    pictures: dict[tuple[int, int], dict[str, Picture]] = {}
    for said in _list(result, "pictures"):
        place, size, picture = _picture(said, result.blobs)
        pictures.setdefault(place, {})[size] = picture
    refused = dict(_refusal(said) for said in _list(result, "refused"))

    def tell(number: int, one: Asked) -> Shown:
        place = number, one.frame
        made = pictures.get(place, {})
        return Shown(made) if made.keys() >= set(one.sizes) else Shown({}, refused.get(place, UNREADABLE))

    return tell


def _list(result: sandbox.Result, name: str) -> list[Any]:
    said = result.values.get(name)
    if not isinstance(said, list):
        raise SandboxDied(NONSENSE)
    return said


def _picture(said: Any, blobs: Sequence[bytes]) -> tuple[tuple[int, int], str, Picture]:
    match said:
        case {
            "instance": int(number),
            "frame": int(frame),
            "size": str(size),
            "blob": int(blob),
            "width": int(width),
            "height": int(height),
        } if 0 <= blob < len(blobs):
            return (number, frame), size, Picture(blobs[blob], width, height)
    raise SandboxDied(NONSENSE)


def _refusal(said: Any) -> tuple[tuple[int, int], str]:
    match said:
        case {"instance": int(number), "frame": int(frame), "code": str(code)}:
            return (number, frame), code if code in SENTENCES else UNREADABLE
    raise SandboxDied(NONSENSE)
