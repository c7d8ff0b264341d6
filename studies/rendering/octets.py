"""One frame without its compression, little endian, as it stood before it was encoded (PS3.18 §8.7.3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.rendering.codecs import decode
from studies.rendering.pixels import Shape
from studies.rendering.samples import frame_of
from studies.sandbox.registry import Answer, task


def octets(samples: NDArray[Any], shape: Shape) -> bytes:
    """[rows, columns] or [rows, columns, samples] in cells of Bits Allocated, colour by pixel; bits eight to a byte."""
    if shape.allocated == 1:
        return np.packbits(samples.reshape(-1).astype(bool), bitorder="little").tobytes()
    if samples.dtype.kind == "f":
        return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()
    return samples.astype(f"<u{shape.allocated // 8}", copy=False).tobytes()


@task("octets")
def _octets(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Answers the frame in a blob. Raises Refusal."""
    opened, shape, frame, content = frame_of(args, blobs)
    return {}, [octets(decode(content, opened, shape, frame, max(shape.rows, shape.columns)), shape)]
