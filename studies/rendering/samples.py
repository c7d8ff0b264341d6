"""One grey frame as 16-bit samples, for a reader who moves the window herself; and any frame as a large JPEG.

A sample times slope plus intercept is the value that windows speak of (PS3.3 §C.11.1). Samples are the stored bits
where those have sixteen at most and a line leads from them to values; else values are spread over sixteen bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import Opened, has_grey, items, kind_of, open_dataset, unit_of, windows_of
from studies.dicom.looks import flips_of
from studies.refusals import CannotShow
from studies.rendering import framed, showable
from studies.rendering.codecs import decode
from studies.rendering.curves import Linear, Span, Window
from studies.rendering.grey import Way, meaning, way_of
from studies.rendering.picture import aspect_of, fitted
from studies.rendering.pixels import Shape, frame_content
from studies.rendering.slides import is_slide
from studies.sandbox.registry import Answer, task

Values = NDArray[Any]
Stored = NDArray[np.integer[Any]]
Outside = NDArray[np.bool_]

GREY: Final = ("image", "multiframe")
FITTED: Final = 1024  # longest side
MOST_SAMPLES: Final = 32 * 10**6
"""Of one frame that is sent; a larger one is made smaller."""
LONGEST: Final = 16_384
"""No side of a JPEG is longer: phones draw none that is."""
QUALITY: Final = 90
STEPS: Final = 65_534
"""Of values that do not fit as they are; the sample above them says that there is no value."""
LARGEST: Final = 3.4e38


@dataclass(frozen=True)
class Samples:
    """[rows, columns] of 16 bits, and the line to their values; `padding` is the least and greatest that has none."""

    stored: Stored
    slope: float = 1.0
    intercept: float = 0.0
    padding: tuple[int, int] | None = None


def samples_of(
    opened: Opened, shape: Shape, frame: int, content: bytes, *, whole: bool = False, stretch: Span | None = None
) -> tuple[dict[str, Any], bytes]:
    """Header and little-endian samples of one frame's stored bytes: fitted to a screen, or whole.

    `stretch` is the range of a series that gives no window. Raises CannotShow.
    """
    is_picture = kind_of(opened.dataset, opened.transfer_syntax) in GREY and not is_slide(opened.dataset)
    if not is_picture or not has_grey(opened.dataset):
        raise CannotShow("pixels")
    size = _size(shape, whole)
    # A codec that stops early mixes what is outside the picture into its edge.
    longest = max(shape.rows, shape.columns) if "PixelPaddingValue" in opened.dataset else max(size)
    with np.errstate(all="ignore"):
        bits = decode(content, opened, shape, frame, longest)
        way = way_of(bits, shape, opened.dataset, frame, stretch)
        made = _made(bits, shape, way, size)
    left_right, top_bottom = flips_of(opened.dataset, frame)
    header = {
        "rows": size[0],
        "columns": size[1],
        "signed": made.stored.dtype.kind == "i",
        "slope": made.slope,
        "intercept": made.intercept,
        "invert": way.inverse,
        "padding": list(made.padding) if made.padding else None,
        "windows": windows_of(opened, frame),
        "window": window_of(way),
        "unit": unit_of(opened.dataset, frame),
        "aspect": aspect_of(opened.dataset, frame),
    }
    stored = made.stored[:: -1 if top_bottom else 1, :: -1 if left_right else 1]
    return header, stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()


def _size(shape: Shape, whole: bool) -> tuple[int, int]:
    """Rows and columns of what is sent."""
    rows, columns = shape.rows, shape.columns
    scale = (MOST_SAMPLES / (rows * columns)) ** 0.5 if whole else FITTED / max(rows, columns)
    if scale >= 1:
        return rows, columns
    return max(1, int(rows * scale + (not whole) / 2)), max(1, int(columns * scale + (not whole) / 2))


def window_of(way: Way) -> dict[str, Any] | None:
    """The window of the preview; None where a table led to its brightness."""
    if isinstance(way.curve, Window):
        return {"center": way.curve.center, "width": way.curve.width, "function": way.curve.function}
    if isinstance(way.curve, Span):
        low, high = way.curve.low, way.curve.high
        return {"center": (low + high) / 2, "width": max(high - low, 1e-9), "function": "LINEAR_EXACT"}
    return None


def _made(bits: Values, shape: Shape, way: Way, size: tuple[int, int]) -> Samples:
    outside = _outside(bits, shape, way)
    line = way.modality
    if shape.stored <= 16 and bits.dtype.kind == "u" and isinstance(line, Linear):
        padding = (int(way.padding[0]), int(way.padding[1])) if outside is not None and way.padding else None
        return Samples(_as_stored(bits, shape, outside, padding, size), line.slope, line.intercept, padding)
    values = way.modality(meaning(bits, shape)).clip(-LARGEST, LARGEST)
    return _spread(values, outside, size)


def _outside(bits: Values, shape: Shape, way: Way) -> Outside | None:
    """Which pixels lie outside the picture; None where no value says so, or no pixel has it."""
    if way.padding is None:
        return None
    stored = meaning(bits, shape)
    outside = (stored >= way.padding[0]) & (stored <= way.padding[1])
    return outside if outside.any() else None


def _as_stored(
    bits: Values, shape: Shape, outside: Outside | None, padding: tuple[int, int] | None, size: tuple[int, int]
) -> Stored:
    kind = np.int16 if shape.signed else np.uint16
    stored: Stored = _sixteen(bits, shape).view(kind)
    if stored.shape == size:
        return stored
    averaged, gone = _averaged(stored, outside, size)
    stored = np.rint(averaged).astype(kind)
    if padding is None or gone is None:
        return stored
    stored = _kept_off(stored, padding)
    stored[gone] = padding[0]
    return stored


def _sixteen(bits: Values, shape: Shape) -> NDArray[np.uint16]:
    """What `grey.meaning` says, without leaving sixteen bits: a large frame in a tenth of the time."""
    above = shape.high_bit + 1 - shape.stored if bits.dtype.itemsize * 8 >= shape.allocated else 0
    stored = (bits >> above if above else bits).astype(np.uint16)
    if shape.stored < 16:
        stored = stored & np.uint16((1 << shape.stored) - 1)
        if shape.signed:
            half = np.uint16(1 << (shape.stored - 1))
            stored = (stored ^ half) - half
    return stored


def _kept_off(stored: Stored, padding: tuple[int, int]) -> Stored:
    """A mean of values on both sides of padding may fall on it, and is a value all the same: the nearest beside it."""
    low, high = padding
    limits = np.iinfo(stored.dtype)
    below = low > limits.min and ((stored <= (low + high) / 2) | (high >= limits.max))
    beside = np.where(below, max(low - 1, limits.min), min(high + 1, limits.max))
    return np.where((stored >= low) & (stored <= high), beside, stored).astype(stored.dtype)


def _spread(values: Values, outside: Outside | None, size: tuple[int, int]) -> Samples:
    """Values over the steps between the least and the greatest."""
    inside = values if outside is None else values[~outside]
    low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
    slope = (high - low) / STEPS or 1.0
    steps, gone = (values - low) / slope, outside
    if steps.shape != size:
        steps, gone = _averaged(steps, outside, size)
    stored = np.rint(steps).clip(0, STEPS).astype(np.uint16)
    if gone is None:
        return Samples(stored, slope, low)
    stored[gone] = STEPS + 1
    return Samples(stored, slope, low, (STEPS + 1, STEPS + 1))


def _averaged(values: Values, outside: Outside | None, size: tuple[int, int]) -> tuple[Values, Outside | None]:
    """The mean of those that lie in each larger pixel and not outside the picture; and where most lie outside."""
    if outside is None:
        return _boxed(values, size), None
    share = _boxed(~outside, size)
    return _boxed(np.where(outside, 0, values), size) / np.maximum(share, 1e-6), share < 0.5


def _boxed(values: Values, size: tuple[int, int]) -> Values:
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BOX))


def large(
    opened: Opened,
    shape: Shape,
    frame: int,
    content: bytes,
    *,
    stretch: Span | None = None,
    state: Dataset | None = None,
    box: tuple[int, int] | None = None,
    quality: int = QUALITY,
) -> tuple[bytes, int, int]:
    """A JPEG of the whole frame, its width and its height: what the preview shows, at full resolution.

    `box`, the width and height that it must fit into, makes it smaller.
    """
    longest = max(shape.rows, shape.columns)
    shown, aspect = framed(opened, shape, frame, content, min(longest, max(box)) if box else longest, stretch, state)
    image = Image.fromarray(np.ascontiguousarray(shown))
    size = fitted(image.size, aspect, LONGEST)
    scale = min(1.0, (MOST_SAMPLES / (size[0] * size[1])) ** 0.5)
    if box:
        scale = min(scale, box[0] / size[0], box[1] / size[1])
    size = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    pixels = np.ascontiguousarray(image.resize(size) if size != image.size else image)
    return bytes(imagecodecs.jpeg8_encode(pixels, level=quality, subsampling="444")), *size


# --- tasks of the sandbox: `args` has "frame", from 0, and maybe "stretch", the range of its series. Blobs are the
# whole file, or its header and that frame's bytes.


@task("samples")
def _samples(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """`args["whole"]`: all of its pixels. Answers the header, and the samples in a blob."""
    header, samples = samples_of(*frame_of(args, blobs), whole=bool(args["whole"]), stretch=_stretch(args))
    return header, [samples]


@task("large")
def _large(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """`args["state"]`: the first blob is a presentation state; "box", "quality" and "window" (centre,
    width, function) may say how large, how good and by which window.

    Answers `{"width", "height"}`, the JPEG in a blob.
    """
    state = open_dataset(blobs[0]).dataset if args.get("state") else None
    frame = frame_of(args, blobs if state is None else blobs[1:])
    if args.get("window"):
        _set_window(frame[0].dataset, *args["window"])
    box = (int(args["box"][0]), int(args["box"][1])) if args.get("box") else None
    quality = int(args.get("quality") or QUALITY)
    jpeg, width, height = large(*frame, stretch=_stretch(args), state=state, box=box, quality=quality)
    return {"width": width, "height": height}, [jpeg]


def _set_window(dataset: Dataset, center: float, width: float, function: str) -> None:
    """Let this window stand for those of the data set, of its frames too."""
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in items(dataset, keyword):
            group.pop("FrameVOILUTSequence", None)
    dataset.pop("VOILUTSequence", None)
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = center, width, function


def _stretch(args: dict[str, Any]) -> Span | None:
    return Span(*args["stretch"]) if args.get("stretch") else None


def frame_of(args: dict[str, Any], blobs: list[bytes]) -> tuple[Opened, Shape, int, bytes]:
    """The frame that was asked for: of a whole file, or of a header and the frame's stored bytes. Raises Refusal."""
    opened, frame = open_dataset(blobs[0]), int(args["frame"])
    shape = showable(opened)
    return opened, shape, frame, blobs[1] if len(blobs) > 1 else frame_content(opened, shape, frame)
