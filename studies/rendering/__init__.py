"""Pixels to pictures: pure functions on bytes, run in the sandbox only.

`render` makes a thumbnail (WebP) and a preview (JPEG) of each frame asked for. What cannot be shown raises
`CannotShow` with the code of one plain sentence; the original stays downloadable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studies.dicom import Opened, kind_of, open_dataset
from studies.refusals import CannotShow, Refusal
from studies.rendering.codecs import decode, leaves_rgb
from studies.rendering.colour import colour, palette
from studies.rendering.grey import grey
from studies.rendering.picture import aspect_of, encoded
from studies.rendering.pixels import Shape, described, frame_content
from studies.sandbox.registry import Answer, preload, task

__all__ = ["SIZES", "CannotShow", "Picture", "render"]

SIZES = {"thumbnail": 256, "preview": 1024}
SHOWN = ("image", "multiframe")


@dataclass(frozen=True)
class Picture:
    """One frame at one size: `size` is "thumbnail" (WebP) or "preview" (JPEG)."""

    frame: int
    size: str
    content: bytes
    width: int
    height: int


def render(content: bytes, frames: Iterable[int] = (0,), sizes: Mapping[str, int] = SIZES) -> Iterator[Picture]:
    """Show frames (0-based) of a whole file, each at every size: the longest side in pixels, never enlarged.

    Raises `CannotShow`, or `NotReadable` when there is no data set.
    """
    opened = open_dataset(content)
    shape = showable(opened)
    for frame in frames:
        yield from _pictures(opened, shape, frame, frame_content(opened, shape, frame), sizes)


def showable(opened: Opened) -> Shape:
    """The shape of the pixels, once it is sure that they are a picture and one of bearable size."""
    kind = kind_of(opened.dataset, opened.transfer_syntax)
    if kind not in SHOWN:
        raise CannotShow(kind)
    if not opened.pixels:
        raise CannotShow("other")
    return described(opened)


def _pictures(opened: Opened, shape: Shape, frame: int, content: bytes, sizes: Mapping[str, int]) -> Iterator[Picture]:
    pixels = shown(opened, shape, frame, content, max(sizes.values()))
    aspect = aspect_of(opened.dataset, frame)
    for size, longest in sizes.items():
        yield Picture(frame, size, *encoded(pixels, aspect, size, longest))


def shown(opened: Opened, shape: Shape, frame: int, content: bytes, longest: int) -> NDArray[np.uint8]:
    """One frame as a screen shows it, [rows, columns] or [rows, columns, 3], of eight bits."""
    samples = decode(content, opened, shape, frame, longest)
    if shape.samples == 3:
        return colour(samples, shape, decoded_to_rgb=leaves_rgb(opened))
    if shape.photometric == "PALETTE COLOR":
        return palette(samples, shape, opened.dataset)
    return grey(samples, shape, opened.dataset, frame)


# --- the task of the sandbox


@task("render")
def _render(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Render a batch: `args` is `{"instances": [{"frames": [0, …], "parts": 1}, …], "sizes": {…}}`.

    An instance may have "sizes" of its own.

    Each instance takes `parts` blobs: 1 is the whole file; else its header up to the pixels and then the
    stored bytes of each frame asked for, so that a film of gigabytes is sent in pieces.

    Answers `{"pictures": [{"instance", "frame", "size", "blob", "width", "height"}, …],
    "refused": [{"instance", "frame", "code"}, …]}`: every frame asked for is in one of them.
    """
    everywhere = args.get("sizes") or SIZES
    pictures: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    files: list[bytes] = []
    taken = 0
    for number, wanted in enumerate(args["instances"]):
        parts = blobs[taken : taken + wanted.get("parts", 1)]
        taken += len(parts)
        for frame, made in _frame_by_frame(parts, wanted["frames"], wanted.get("sizes") or everywhere):
            if isinstance(made, Refusal):
                refused.append({"instance": number, "frame": frame, "code": made.code})
                continue
            for picture in made:
                said = {"size": picture.size, "width": picture.width, "height": picture.height}
                pictures.append({"instance": number, "frame": frame, "blob": len(files), **said})
                files.append(picture.content)
    return {"pictures": pictures, "refused": refused}, files


def _frame_by_frame(
    parts: list[bytes], frames: list[int], sizes: Mapping[str, int]
) -> Iterator[tuple[int, list[Picture] | Refusal]]:
    """Each frame with its pictures or the reason why not: a bad one costs no other."""
    try:
        opened = open_dataset(parts[0])
        shape = showable(opened)
    except Refusal as refusal:
        yield from ((frame, refusal) for frame in frames)
        return
    for place, frame in enumerate(frames, 1):
        try:
            content = parts[place] if len(parts) > 1 else frame_content(opened, shape, frame)
            yield frame, list(_pictures(opened, shape, frame, content, sizes))
        except Refusal as refusal:
            yield frame, refusal
        except MemoryError:
            yield frame, CannotShow("too large")
        except Exception:
            # What nobody foresaw is one picture's trouble too, and says nothing against the file.
            yield frame, CannotShow("no preview")


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
