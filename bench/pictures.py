"""What a preview costs: milliseconds of one processor from the file in memory to the JPEG, by codec and size.

    python -m bench.pictures

The best of some rounds each, in this process and without the sandbox. CT slices are a computed chest, rendered as one
batch as the worker does; the large ones are a computed pattern with noise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from bench.corpus import chest
from bench.table import machine
from studies.rendering import render
from studies.sandbox.registry import preloads, tasks
from tests.studies.dicom_made import encapsulated, image

ROUNDS = 5
PREFIX = "1.2.840.10008.1.2."
SIZES = {"CT 512 × 512": (512, 512), "CR 2500 × 2048": (2500, 2048), "MG 4096 × 3328": (4096, 3328)}
PREVIEW = {"preview": 1024}
Encode = Callable[[NDArray[np.uint16]], Any]
CODECS: dict[str, tuple[str, Encode]] = {
    "JPEG lossless": ("4.70", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12)),
    "JPEG-LS": ("4.80", imagecodecs.jpegls_encode),
    "JPEG 2000": ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="j2k")),
    "HTJ2K": ("4.201", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
}


def main() -> int:
    """Print the table."""
    for load in preloads:
        load()
    print(machine())
    files = [one.file for one in chest(20).instances]
    args = {"instances": [{"frames": [0]} for _ in files], "sizes": PREVIEW}
    print(f"CT of a series, explicit: {_best(lambda: tasks['render'](args, files)) / len(files):.2f} ms a slice")
    for size, (rows, columns) in SIZES.items():
        made = _files(_pattern(rows, columns))
        costs = {name: _best(partial(_show, file)) for name, file in made.items()}
        print(f"{size}: " + ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items()) + " ms")
    return 0


def _show(file: bytes) -> None:
    list(render(file, sizes=PREVIEW))


def _best(work: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times) * 1000


def _pattern(rows: int, columns: int) -> NDArray[np.uint16]:
    down, across = np.mgrid[:rows, :columns]
    light = np.abs((across * 3 + down * 2) % 4096 - 2048) + np.random.default_rng(0).normal(0, 12, (rows, columns))
    pixels: NDArray[np.uint16] = light.clip(0, 4095).astype(np.uint16)
    return pixels


def _files(pixels: NDArray[np.uint16]) -> dict[str, bytes]:
    window: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12}
    said: dict[str, Any] = {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "HighBit": 11,
        **window,
    }
    packed = {name: encapsulated(encode(pixels), PREFIX + syntax, **said) for name, (syntax, encode) in CODECS.items()}
    return {"explicit": image(pixels, **window), **packed}


if __name__ == "__main__":
    sys.exit(main())
