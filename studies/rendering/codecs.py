"""Compressed or native bytes of one frame to samples: [rows, columns] or [rows, columns, 3].

Integers come out unsigned, as bits: what they mean (sign, unused bits) is the data set's to say, and its word
and the stream's differ often enough (see `grey.meaning`). imagecodecs and Pillow do the work.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studies.dicom import Opened, inflate
from studies.refusals import CannotShow, NotReadable
from studies.rendering import codestream
from studies.rendering.pixels import Shape

Samples = NDArray[Any]
Decoder = Callable[[bytes, Shape, int], Samples]
"""From a bit stream, the shape it must have, and how often its sides may be halved."""

# `described` has checked the size against our own budget, which is larger than Pillow's.
Image.MAX_IMAGE_PIXELS = None

NEARLY = 0.9  # of the size wanted: half the pixels of a picture of 2000 are as good for a preview of 1024


def decode(content: bytes, opened: Opened, shape: Shape, frame: int, longest: int) -> Samples:
    """The samples of one frame's stored bytes, about `longest` or more on the longer side where a codec can stop
    early; raise `CannotShow`."""
    if not opened.encapsulated:
        return _native(content, shape, opened, frame)
    for syntaxes, decoders in DECODERS.items():
        if re.fullmatch(rf"1\.2\.840\.10008\.1\.2\.({syntaxes})", opened.transfer_syntax):
            return _first(decoders, content, shape, _halvings(shape, longest))
    raise CannotShow("codec")


def _first(decoders: Sequence[Decoder], content: bytes, shape: Shape, halvings: int) -> Samples:
    """What the first of several makes that does not give up; the last one's refusal counts."""
    for decoder in decoders[:-1]:
        with suppress(CannotShow):
            return _checked(_decoded(decoder, content, shape, halvings), shape, halvings)
    return _checked(_decoded(decoders[-1], content, shape, halvings), shape, halvings)


def _decoded(decoder: Decoder, content: bytes, shape: Shape, halvings: int) -> Samples:
    try:
        return decoder(content, shape, halvings)
    except (CannotShow, MemoryError):
        raise
    except NotReadable as refused:
        raise CannotShow(refused.code) from refused
    except Exception as error:
        # Each codec has its own errors, all of them about the stream.
        raise CannotShow("unreadable") from error


def _checked(array: Samples, shape: Shape, halvings: int) -> Samples:
    if array.dtype.kind == "i":
        array = array.view(array.dtype.str.replace("i", "u"))
    if array.dtype.kind != "u" or array.shape[2:] != ((3,) if shape.samples == 3 else ()):
        raise CannotShow("contradiction")
    if not halvings and array.shape[:2] != (shape.rows, shape.columns):
        raise CannotShow("contradiction")
    return array


def _halvings(shape: Shape, longest: int) -> int:
    """How often the picture may be halved and still be about `longest` or more."""
    halvings = 0
    while max(shape.rows, shape.columns) >> (halvings + 1) >= NEARLY * longest and halvings < 5:
        halvings += 1
    return halvings


def _agree(said: codestream.Codestream, shape: Shape) -> None:
    if (said.rows, said.columns, said.samples) != (shape.rows, shape.columns, shape.samples):
        raise CannotShow("contradiction")


# --- native


def _native(content: bytes, shape: Shape, opened: Opened, frame: int) -> Samples:
    order = "<" if opened.little_endian else ">"
    if opened.pixels in ("float", "double"):
        return np.frombuffer(content, f"{order}f{shape.allocated // 8}").reshape(shape.rows, shape.columns)
    if shape.allocated == 1:
        return _bits(content, shape, frame)
    if shape.allocated == 64:
        raise CannotShow("pixels")
    depth = shape.allocated // 8
    array = np.frombuffer(content, f"{order}u{depth}").astype(f"=u{depth}", copy=False)
    if shape.subsampled:
        return _upsampled(array, shape)
    return _arranged(array[: shape.rows * shape.columns * shape.samples], shape)


def _bits(content: bytes, shape: Shape, frame: int) -> Samples:
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    start = frame * shape.frame_bits % 8
    return bits[start : start + shape.frame_bits].reshape(shape.rows, shape.columns)


def _upsampled(array: Samples, shape: Shape) -> Samples:
    """Y1 Y2 Cb Cr of each two pixels to Y Cb Cr of each (§C.7.6.3.1.2)."""
    if shape.columns % 2:
        raise CannotShow("contradiction")
    pairs = array.reshape(shape.rows, -1, 4)
    luma = pairs[:, :, :2].reshape(shape.rows, -1)
    chroma = np.repeat(pairs[:, :, 2:], 2, axis=1)
    return np.dstack([luma, chroma])


def _arranged(array: Samples, shape: Shape) -> Samples:
    if shape.samples == 1:
        return array.reshape(shape.rows, shape.columns)
    if shape.planar:
        return array.reshape(3, shape.rows, shape.columns).transpose(1, 2, 0)
    return array.reshape(shape.rows, shape.columns, 3)


# --- compressed: (content, shape, halvings) to samples


def _jpeg(content: bytes, shape: Shape, halvings: int) -> Samples:
    said = codestream.jpeg(content)
    _agree(said, shape)
    codestream.whole(content)
    # Three lossless samples stay as they are, for the data set to explain. Lossy ones come out as RGB, whatever
    # the data set calls them: only where the stream is silent does its word decide if anything is to be undone.
    silent = not said.colours and shape.photometric == "RGB"
    if said.samples == 3 and (said.lossless or said.colours == "RGB" or silent):
        return imagecodecs.jpeg8_decode(content, colorspace="RGB", outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(content)


# libjpeg minds Huffman tables that other writers of lossless streams thought fine.


def _liblj92(content: bytes, shape: Shape, halvings: int) -> Samples:
    _agree(codestream.jpeg(content), shape)
    codestream.whole(content)
    return imagecodecs.ljpeg_decode(content)


def _jpeg_sof3(content: bytes, shape: Shape, halvings: int) -> Samples:
    _agree(codestream.jpeg(content), shape)
    codestream.whole(content)
    return imagecodecs.jpegsof3_decode(content)


def _jpeg_ls(content: bytes, shape: Shape, halvings: int) -> Samples:
    _agree(codestream.jpeg(content), shape)
    codestream.whole(content)
    return imagecodecs.jpegls_decode(content)


def _jpeg_2000(content: bytes, shape: Shape, halvings: int) -> Samples:
    said = codestream.jpeg_2000(content)
    _agree(said, shape)
    if halvings and (said.samples == 1 or said.precision == 8) and said.precision <= 16:
        return _reduced_jpeg_2000(content, said, halvings)
    return imagecodecs.jpeg2k_decode(content, numthreads=1)


def _reduced_jpeg_2000(content: bytes, said: codestream.Codestream, halvings: int) -> Samples:
    """OpenJPEG stops at a lower resolution: a mammogram in a tenth of the time. Pillow fills 8 or 16 bits and
    makes signed numbers positive; both are undone."""
    image = Image.open(BytesIO(content), formats=("JPEG2000",))
    image.reduce = halvings  # type: ignore[assignment,method-assign]
    image.load()
    array = np.asarray(image)
    array = array >> (array.dtype.itemsize * 8 - said.precision)
    return array - array.dtype.type(1 << (said.precision - 1)) if said.signed else array


def _htj2k(content: bytes, shape: Shape, halvings: int) -> Samples:
    _agree(codestream.jpeg_2000(content), shape)
    codestream.whole(content)
    try:
        return imagecodecs.htj2k_decode(content, skipres=halvings or None)
    except imagecodecs.Htj2kError:
        # Fewer resolutions in the stream than halvings asked for.
        return imagecodecs.htj2k_decode(content)


def _jpeg_xl(content: bytes, shape: Shape, halvings: int) -> Samples:
    if codestream.jpeg_xl(content) != (shape.rows, shape.columns):
        raise CannotShow("contradiction")
    return imagecodecs.jpegxl_decode(content, numthreads=1)


def _rle(content: bytes, shape: Shape, halvings: int) -> Samples:
    """One segment for each byte of each sample, the most significant first (PS3.5 §G.2). The segments are cut out
    here: imagecodecs' own reader of them believes their offsets, and crashes."""
    pixels, depth = shape.rows * shape.columns, shape.allocated // 8
    count, *starts = struct.unpack_from("<16I", content)
    starts = [*starts[: shape.samples * depth], len(content)]
    if count != shape.samples * depth or starts[0] < 64 or starts != sorted(starts):
        raise CannotShow("contradiction")
    segments = [imagecodecs.packbits_decode(content[start:end])[:pixels] for start, end in pairwise(starts)]
    if any(len(segment) < pixels for segment in segments):
        raise CannotShow("incomplete")
    planes = np.frombuffer(b"".join(segments), np.uint8).reshape(shape.samples, depth, pixels)
    array = np.ascontiguousarray(planes.transpose(2, 0, 1)).view(f">u{depth}").astype(f"=u{depth}")
    return array.reshape(shape.rows, shape.columns, shape.samples).squeeze(2 if shape.samples == 1 else ())


def _deflated_frame(content: bytes, shape: Shape, halvings: int) -> Samples:
    plain = inflate(content, shape.frame_bytes)
    if len(plain) < shape.frame_bytes:
        raise CannotShow("incomplete")
    if shape.allocated == 1:
        return _bits(plain, shape, 0)
    return _arranged(np.frombuffer(plain, f"<u{shape.allocated // 8}"), shape)


# By what follows 1.2.840.10008.1.2. in the transfer syntax: who decodes it, and who else when that one refuses.
# Streams of several frames (4.92, 4.93) are refused by their size; those of one are as any other.
DECODERS: dict[str, tuple[Decoder, ...]] = {
    r"4\.(50|51|53|55)": (_jpeg,),
    r"4\.(57|70)": (_jpeg, _liblj92, _jpeg_sof3),
    r"4\.8[01]": (_jpeg_ls,),
    r"4\.9[0-3]": (_jpeg_2000,),
    r"4\.11[0-2]": (_jpeg_xl,),
    r"4\.20[123]": (_htj2k, _jpeg_2000),
    r"5": (_rle,),
    r"8\.1": (_deflated_frame,),
}


def leaves_rgb(opened: Opened) -> bool:
    """Lossy JPEG, JPEG 2000 and JPEG XL undo their own colour transform; JPEG-LS, RLE and lossless JPEG have none."""
    undone = r"1\.2\.840\.10008\.1\.2\.4\.(5[0135]|9[0-3]|11[0-2]|20[123])"
    return opened.encapsulated and re.fullmatch(undone, opened.transfer_syntax) is not None
