"""Pixels to pictures: pure functions on bytes, run in the sandbox only.

`render` makes a thumbnail (WebP) and a preview (JPEG) of each frame asked for. What cannot be shown raises
`CannotShow` with the code of one plain sentence; the original stays downloadable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import Opened, kind_of, open_dataset
from studies.dicom.looks import flips_of
from studies.refusals import CannotShow, Refusal
from studies.rendering.annotations import warm_font
from studies.rendering.codecs import Samples, decode, leaves_rgb
from studies.rendering.colour import colour, is_supplemented, palette, supplemented
from studies.rendering.curves import Span
from studies.rendering.grey import grey
from studies.rendering.overlays import draw, planes
from studies.rendering.picture import aspect_of, encoded
from studies.rendering.pixels import Shape, described, frame_content
from studies.rendering.profiles import to_screen, warm_profiles
from studies.rendering.ranges import range_of_frames
from studies.rendering.segments import segments
from studies.rendering.shutters import shut
from studies.rendering.slides import bearable, is_slide, stitched
from studies.rendering.states import presented, restated
from studies.sandbox.registry import Answer, preload, task

__all__ = ["SIZES", "CannotShow", "Picture", "render"]

SIZES = {"thumbnail": 256, "preview": 1024}
SHOWN = ("image", "multiframe", "segmentation")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One frame at one size: `size` is "thumbnail" (WebP) or "preview" (JPEG)."""

    frame: int
    size: str
    content: bytes
    width: int
    height: int


def render(
    content: bytes,
    frames: Iterable[int] = (0,),
    sizes: Mapping[str, int] = SIZES,
    *,
    stretch: Span | None = None,
    state: bytes | None = None,
) -> Iterator[Picture]:
    """Show frames (0-based) of a whole file, each at every size: the longest side in pixels, never enlarged.

    `stretch` is the range of a series that gives no window, `state` a presentation state to show them by.
    Raises `CannotShow`, or `NotReadable` when there is no data set.
    """
    opened = open_dataset(content)
    shape = showable(opened)
    by = open_dataset(state).dataset if state else None
    for frame in frames:
        yield from pictures(opened, shape, frame, frame_content(opened, shape, frame), sizes, stretch, by)


def showable(opened: Opened) -> Shape:
    """The shape of the pixels, once it is sure that they are a picture and one of bearable size."""
    kind = kind_of(opened.dataset, opened.transfer_syntax)
    if kind not in SHOWN:
        raise CannotShow(kind)
    if not opened.pixels:
        raise CannotShow("other")
    return described(opened)


def pictures(
    opened: Opened,
    shape: Shape,
    frame: int,
    content: bytes,
    sizes: Mapping[str, int],
    stretch: Span | None = None,
    state: Dataset | None = None,
) -> Iterator[Picture]:
    """One frame's stored bytes at every size."""
    pixels, aspect = framed(opened, shape, frame, content, max(sizes.values()), stretch, state)
    for size, most in sizes.items():
        yield Picture(frame, size, *encoded(pixels, aspect, size, most))


def framed(
    opened: Opened,
    shape: Shape,
    frame: int,
    content: bytes,
    longest: int,
    stretch: Span | None = None,
    state: Dataset | None = None,
) -> tuple[Pixels, float]:
    """One frame as it is shown, `longest` or so on its longer side; and the height of a pixel over its width."""
    aspect = aspect_of(opened.dataset, frame)
    if is_slide(opened.dataset):
        return slide(opened, shape, stretch), aspect
    if state is None:
        return shown(opened, shape, frame, content, longest, stretch), aspect
    pixels = shown(restated(opened, state, frame), shape, frame, content, longest, stretch, hangs=True)
    return presented(pixels, opened, state, shape, frame, aspect)


def shown(
    opened: Opened,
    shape: Shape,
    frame: int,
    content: bytes,
    longest: int,
    stretch: Span | None = None,
    *,
    hangs: bool = False,
) -> Pixels:
    """One frame as a screen shows it, [rows, columns] or [rows, columns, 3], of eight bits.

    `hangs` says that it is turned as it should be, whatever its orientation.
    """
    samples = decode(content, opened, shape, frame, longest)
    pixels = shut(_toned(samples, opened, shape, frame, stretch), opened, shape, frame)
    pixels = draw(pixels, (plane.drawn() for plane in planes(opened, shape, frame, samples)))
    return pixels if hangs else hung(pixels, opened.dataset, frame)


def _toned(samples: Samples, opened: Opened, shape: Shape, frame: int, stretch: Span | None) -> Pixels:
    """Samples to brightness or colours."""
    dataset = opened.dataset
    if shape.samples == 3:
        return to_screen(colour(samples, shape, decoded_to_rgb=leaves_rgb(opened)), dataset)
    if shape.photometric == "PALETTE COLOR":
        return to_screen(palette(samples, shape, opened), dataset)
    if kind_of(dataset, opened.transfer_syntax) == "segmentation":
        return segments(samples, shape, dataset, frame)
    toned = grey(samples, shape, dataset, frame, stretch)
    return supplemented(samples, shape, opened, toned) if is_supplemented(shape, dataset) else toned


def hung(pixels: Pixels, dataset: Dataset, frame: int) -> Pixels:
    """The picture as it should hang; samples sent to a viewer are turned by the same word."""
    left_right, top_bottom = flips_of(dataset, frame)
    return pixels[:: -1 if top_bottom else 1, :: -1 if left_right else 1]


def slide(opened: Opened, shape: Shape, stretch: Span | None = None) -> Pixels:
    """All tiles of a whole slide in their places; grey ones by one range."""
    bearable(opened.dataset, shape)
    contents = [frame_content(opened, shape, frame) for frame in range(shape.frames)]
    if shape.samples == 1:
        stretch = range_of_frames((opened, shape, frame, content) for frame, content in enumerate(contents))

    def tile(frame: int) -> Pixels:
        return shown(opened, shape, frame, contents[frame], max(shape.rows, shape.columns), stretch)

    return stitched(opened.dataset, shape, tile)


# --- the tasks of the sandbox


@dataclass
class Wanted:
    """What is asked of one instance, and the blobs that came for it: maybe a state to show it by; then its file, or its
    header up to the pixels and the stored bytes of each frame, so that a film of gigabytes is sent in pieces."""

    frames: list[int]
    sizes: Mapping[str, int]
    parts: list[bytes]
    state: bytes | None
    stretch: Span | None

    def content(self, opened: Opened, shape: Shape, place: int) -> bytes:
        """The stored bytes of the frame at this place of those asked for."""
        if len(self.parts) > 1:
            return self.parts[1 + place]
        return frame_content(opened, shape, self.frames[place])


def _wanted(args: dict[str, Any], blobs: list[bytes]) -> Iterator[Wanted]:
    taken = 0
    for said in args["instances"]:
        count = said.get("parts", 1)
        parts, taken = blobs[taken : taken + count], taken + count
        state = parts.pop(0) if said.get("state") else None
        stretch = Span(*said["stretch"]) if said.get("stretch") else None
        yield Wanted(said["frames"], said.get("sizes") or args.get("sizes") or SIZES, parts, state, stretch)


@task("render")
def _render(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Render a batch: `args` is `{"instances": [{"frames": [0, …], "parts": 1}, …], "sizes": {…}}`.

    An instance takes `parts` blobs (see `Wanted`). It may have "sizes" of its own, "state", when the first of its blobs
    is a presentation state, and "stretch", the range of its series.

    Answers `{"pictures": [{"instance", "frame", "size", "blob", "width", "height"}, …],
    "refused": [{"instance", "frame", "code"}, …]}`: every frame asked for is in one of them.
    """
    said: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    files: list[bytes] = []
    for number, wanted in enumerate(_wanted(args, blobs)):
        for frame, made in _frame_by_frame(wanted):
            if isinstance(made, Refusal):
                refused.append({"instance": number, "frame": frame, "code": made.code})
                continue
            for picture in made:
                size = {"size": picture.size, "width": picture.width, "height": picture.height}
                said.append({"instance": number, "frame": frame, "blob": len(files), **size})
                files.append(picture.content)
    return {"pictures": said, "refused": refused}, files


def _frame_by_frame(wanted: Wanted) -> Iterator[tuple[int, list[Picture] | Refusal]]:
    """Each frame with its pictures or the reason why not: a bad one costs no other."""
    try:
        opened = open_dataset(wanted.parts[0])
        shape = showable(opened)
        state = open_dataset(wanted.state).dataset if wanted.state else None
    except Refusal as refusal:
        yield from ((frame, refusal) for frame in wanted.frames)
        return
    for place, frame in enumerate(wanted.frames):
        try:
            content = wanted.content(opened, shape, place)
            yield frame, list(pictures(opened, shape, frame, content, wanted.sizes, wanted.stretch, state))
        except Refusal as refusal:
            yield frame, refusal
        except MemoryError:
            yield frame, CannotShow("too large")
        except Exception:
            # What nobody foresaw is one picture's trouble too, and says nothing against the file.
            yield frame, CannotShow("no preview")


@task("range")
def _range(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The range of a series, by some of its frames; asked as `render` is. Answers `{"range": [low, high] or None}`."""
    found = range_of_frames(frame for wanted in _wanted(args, blobs) for frame in _looked_at(wanted))
    return {"range": [found.low, found.high] if found else None}, []


def _looked_at(wanted: Wanted) -> Iterator[tuple[Opened, Shape, int, bytes]]:
    with suppress(Refusal):  # whoever cannot be read says so when it is to be shown
        opened = open_dataset(wanted.parts[0])
        shape = showable(opened)
        for place, frame in enumerate(wanted.frames):
            yield opened, shape, frame, wanted.content(opened, shape, place)


@preload
def _warm() -> None:
    """Decode and encode one of each, so that no codec is loaded after files are out of reach."""
    grey = np.zeros((8, 8), np.uint16)
    for name in ("jpegls", "jpeg2k", "htj2k", "jpegxl", "ljpeg"):
        encode, decode = (getattr(imagecodecs, f"{name}_{verb}") for verb in ("encode", "decode"))
        decode(encode(grey))
    imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(grey.astype(np.uint8)))
    imagecodecs.jpegsof3_decode(imagecodecs.ljpeg_encode(grey))
    imagecodecs.packbits_decode(b"\0\0")
    image = Image.fromarray(grey.astype(np.uint8))
    for name in ("JPEG", "JPEG2000", "WEBP"):
        image.save(buffer := BytesIO(), name)
        Image.open(buffer, formats=(name,)).load()
    image.convert("RGB").resize((4, 4), Image.Resampling.BOX)
    np.percentile(grey, 50)
    warm_profiles()
    warm_font()
