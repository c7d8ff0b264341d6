"""One frame looked at closely: its samples to move the window over, or a JPEG of all its pixels.

Both are made in the sandbox from that frame's stored bytes when somebody asks, and kept nowhere: whoever looks at a
series adjusts few of its pictures, and her browser keeps those.
"""

from __future__ import annotations

import json
import logging
import struct
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from accounts.errors import NotFound, Unavailable
from studies import catalog, sandbox
from studies.catalog import Picture
from studies.models import Instance, Rendition, Study
from studies.sandbox import Result, SandboxBusy, SandboxDied, SandboxRefused
from studies.showing import NONSENSE, can_be_sent, parts
from studies.store import objects

logger = logging.getLogger("lightbox.sandbox")

SECONDS: Final = 10
PATIENCE: Final = 10.0
"""Seconds that somebody waits for her turn; the browser asks again."""
RESULT_LIMIT: Final = 80 * 2**20
MOST_AT_ONCE: Final = 16
"""Requests of one process that wait or are worked on: its threads have more to do than this."""
KILLER_REMEMBERED: Final = 15 * 60.0
MOST_KILLERS: Final = 1000

FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

Made = TypeVar("Made")

_places = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True)
class Look:
    """How a picture is wanted: the width and height it must fit into, a JPEG's quality (1 to 100), and the window
    (centre, width, one of FUNCTIONS) instead of the file's."""

    box: tuple[int, int] | None = None
    quality: int | None = None
    window: tuple[float, float, str] | None = None


@dataclass(frozen=True)
class Samples:
    """Sixteen-bit samples of one frame, little endian, row after row; what they mean is in the header."""

    header: dict[str, Any]
    stored: bytes

    def content(self) -> bytes:
        """Length of the header (uint32, little endian), header (JSON), samples; those begin at a multiple of 8."""
        header = json.dumps(self.header, allow_nan=False, separators=(",", ":")).encode()
        header += b" " * (-(4 + len(header)) % 8)
        return b"".join((struct.pack("<I", len(header)), header, self.stored))


def samples(study: Study, series_id: UUID, index: int, *, whole: bool, whose: Hashable) -> Samples:
    """The samples of a picture (index from 1), fitted to a screen unless `whole`. `whose` turn it is with many.

    Raises NotFound (also where there is no brightness to adjust), Unavailable.
    """
    wanted = _frame(study, series_id, index)
    if wanted.state:  # what it says of brightness is the picture
        raise NotFound
    return _ask("samples", {"whole": whole}, wanted, whose, _samples)


def large(study: Study, series_id: UUID, index: int, *, whose: Hashable) -> Picture:
    """The whole of a picture (index from 1) as a JPEG. Raises NotFound, Unavailable."""
    return _ask("large", {}, _frame(study, series_id, index), whose, _picture)


def rendered(study: Study, series_id: UUID, index: int, look: Look, *, whose: Hashable) -> Picture:
    """A picture (index from 1) as a JPEG as somebody wants to look at it. Raises NotFound, Unavailable.

    Where that is what was made before anybody asked, nothing is made.
    """
    if look.box and look.window is None and look.quality is None:
        made = _rendition(study, series_id, index)
        if _is_fitted(made, index, look.box):
            return catalog.picture_of(made, index)
    return _ask("large", asdict(look), _frame(study, series_id, index), whose, _picture)


def octets(instance: Instance, frame: int, *, whose: Hashable) -> bytes:
    """A frame (from 0) without its compression, little endian. Raises NotFound, Unavailable."""
    if not can_be_sent(instance):
        raise NotFound
    return _ask("octets", {}, Wanted(instance, frame), whose, _whole)


@dataclass(frozen=True)
class Wanted:
    """The instance and frame behind a picture, and what it was made with: see `Rendition.made_with`."""

    instance: Instance
    frame: int
    state: Instance | None = None
    stretch: list[float] | None = None


def _rendition(study: Study, series_id: UUID, index: int) -> Rendition:
    shown = catalog.rendition(study, series_id, Rendition.Size.PREVIEW)
    if not 1 <= index <= len(shown.pictures):
        raise NotFound
    return shown


def _is_fitted(made: Rendition, index: int, box: tuple[int, int]) -> bool:
    """Whether the picture that was made (index from 1) is the largest that fits into a width and a height."""
    *_, width, height = made.pictures[index - 1]
    is_all = max(width, height) < catalog.LONGEST_PREVIEW  # it was not made smaller, and is never made larger
    return bool(width <= box[0] and height <= box[1] and (is_all or width == box[0] or height == box[1]))


def _frame(study: Study, series_id: UUID, index: int) -> Wanted:
    shown = _rendition(study, series_id, index)
    pk, frame, *_ = shown.pictures[index - 1]
    for state, number, image, of_image in shown.made_with.get("images", []):
        if (state, number) == (pk, frame):
            return Wanted(_instance(study, image), of_image, state=_instance(study, state))
    return Wanted(_instance(study, pk), frame, stretch=shown.made_with.get("range"))


def _instance(study: Study, pk: int) -> Instance:
    """One that was replaced is looked at until the picture of the new one is there."""
    instance = study.instances.filter(pk=pk, rejected_at=None).select_related("pack__patient").first()
    if instance is None or not can_be_sent(instance):
        raise NotFound
    return instance


def _ask(
    task: str,
    args: dict[str, Any],
    wanted: Wanted,
    whose: Hashable,
    understand: Callable[[Result], Made],
) -> Made:
    key = task, wanted.instance.pk, wanted.frame, wanted.state and wanted.state.pk
    killers.refuse(key)
    try:
        with _place(), objects.Shelf() as shelf:
            result = sandbox.run(
                task,
                {**args, "frame": wanted.frame, "stretch": wanted.stretch, "state": bool(wanted.state)},
                _read_late(shelf, wanted),
                seconds=SECONDS,
                result_limit=RESULT_LIMIT,
                lane=sandbox.LOOKING,
                whose=whose,
                patience=PATIENCE,
            )
        return understand(result)
    except SandboxRefused as refusal:
        raise NotFound from refusal
    except SandboxBusy as busy:
        raise Unavailable(retry_after=5) from busy
    except SandboxDied as death:
        logger.warning("%s, over a frame looked at closely", death)
        _blame(key)
        raise NotFound from death


def _read_late(shelf: objects.Shelf, wanted: Wanted) -> Iterator[bytes]:
    """The bytes, read when the turn has come: who waits holds none of them."""
    if wanted.state:
        yield shelf.read(wanted.state.pack, wanted.state.offset, wanted.state.length)
    yield from parts(shelf, wanted.instance, [wanted.frame])


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Unavailable(retry_after=2)
    try:
        yield
    finally:
        _places.release()


def _blame(frame: Hashable) -> None:
    """Remember a frame that killed its reader, when the sandbox itself works; else Unavailable."""
    try:
        sandbox.run("confinement", {}, lane=sandbox.LOOKING, patience=PATIENCE)
    except (SandboxBusy, SandboxDied) as broken:
        raise Unavailable(retry_after=10) from broken
    killers.remember(frame)


class Killers:
    """Frames that killed their reader, refused for a while: they must not cost one child a second."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def remember(self, frame: Hashable) -> None:
        """Refuse it from now on; the oldest is forgotten when there are many."""
        with self._lock:
            if len(self._until) >= MOST_KILLERS:
                del self._until[next(iter(self._until))]
            self._until[frame] = time.monotonic() + KILLER_REMEMBERED

    def refuse(self, frame: Hashable) -> None:
        """Raise NotFound for one that is remembered."""
        with self._lock:
            if self._until.get(frame, 0.0) > time.monotonic():
                raise NotFound


killers = Killers()


# --- the answer of a child that may by now be a stranger's


def _samples(result: Result) -> Samples:
    match result.values, result.blobs:
        case {"rows": int(rows), "columns": int(columns)}, [stored] if (
            rows > 0 and columns > 0 and len(stored) == 2 * rows * columns
        ):
            return Samples({"rows": rows, "columns": columns, **_meaning(result.values)}, stored)
    raise SandboxDied(NONSENSE)


def _meaning(said: dict[str, Any]) -> dict[str, Any]:
    match said:
        case {
            "signed": bool(signed),
            "slope": int() | float() as slope,
            "intercept": int() | float() as intercept,
            "invert": bool(invert),
            "padding": None | [int(), int()] as padding,
            "windows": list(windows),
            "window": None | dict() as window,
            "unit": str(unit),
            "aspect": int() | float() as aspect,
        } if slope and 0 < aspect < 100:
            return {
                "signed": signed,
                "slope": slope,
                "intercept": intercept,
                "invert": invert,
                "padding": padding,
                "windows": [_window(one) for one in windows],
                "window": _window(window) if window else None,
                "unit": unit[:16],
                "aspect": aspect,
            }
    raise SandboxDied(NONSENSE)


def _window(said: Any) -> dict[str, Any]:
    match said:
        case {"center": int() | float() as center, "width": int() | float() as width, "function": str(function)} if (
            width > 0 and function in FUNCTIONS
        ):
            name = said.get("name")
            named = {"name": name[:64]} if isinstance(name, str) else {}
            return {"center": center, "width": width, "function": function, **named}
    raise SandboxDied(NONSENSE)


def _whole(result: Result) -> bytes:
    if len(result.blobs) != 1:
        raise SandboxDied(NONSENSE)
    return result.blobs[0]


def _picture(result: Result) -> Picture:
    match result.values, result.blobs:
        case {"width": int(width), "height": int(height)}, [content]:
            return Picture(iter([content]), "image/jpeg", len(content), width, height)
    raise SandboxDied(NONSENSE)
