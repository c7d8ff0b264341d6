"""Publish every file of a folder, in one run, to a site as `make run` starts it; say what became of each.

    python -m bench.samples FOLDER [--out FOLDER]

One line each: shown, or the sentence a person reads instead, quarantined, or refused, and why. The first picture of
each instance is held against DCMTK's of the same frame and window (bench.oracle). It is right when at full size no
pixel differs by more than two grey levels, and when what is stored for the patient differs from DCMTK's, brought to the
same size and through another JPEG encoder, by two grey levels at most on average. Of what is set aside and of older
versions no picture is stored, and what was made with the range of its series or is a whole slide differs from a single
file by intent: there the pixels at full size are compared. Writes samples.tsv, and a sheet of what differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import django
import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from bench import oracle
from tests.factories import related
from tests.journeys.conftest import Site, eventually, site_environment, start_site, stop_site

OUT = Path(__file__).resolve().parent.parent / "bench-out"
PATIENCE = 900.0
MEAN_OF_STORED, MOST_AT_FULL_SIZE = 2.0, 2  # grey levels
REASON, FAILURES = "00081197", "00081198"
JPEG = {"quality": 85, "subsampling": 0}
SHEET_SIDE, SHEET_MOST = 256, 60


@dataclass(frozen=True)
class Line:
    """What became of one file."""

    file: Path
    status: int
    fate: str = "refused"  # shown, sentence, older version, quarantined, refused
    why: str = ""
    witness: str = ""
    mean: float | None = None
    most: int | None = None
    by_series: bool = False

    @property
    def right(self) -> bool | None:
        """Whether a shown picture is right; None where nobody else can tell."""
        if self.most is None:
            return None
        return (self.mean or 0.0) <= MEAN_OF_STORED and self.most <= MOST_AT_FULL_SIZE


@dataclass(frozen=True)
class Pair:
    """A first picture and what DCMTK makes of it, for the sheet."""

    ours: Image.Image
    theirs: Image.Image


def main() -> int:
    """Publish, wait, compare, write; 1 when an answer was an error of ours or too many pictures are wrong."""
    options = _options()
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    with _site() as (site, key):
        published = [_publish(site, key, file) for file in files]
        print(f"{len(published)} files published; waiting for their pictures", flush=True)
        eventually(_all_ready, "everything becoming ready", PATIENCE)
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(_tell, published))
    lines = [line for line, _ in told]
    options.out.mkdir(exist_ok=True)
    (options.out / "samples.tsv").write_text("\n".join(_written(lines, options.folder)) + "\n")
    _draw([pair for line, pair in told if pair and line.right is False], options.out / "samples.png")
    print(_summary(lines))
    return 0 if _passes(lines) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.samples", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


@contextmanager
def _site() -> Iterator[tuple[Site, str]]:
    """A site of its own, whose database this process reads, and the key of a facility."""
    with tempfile.TemporaryDirectory(prefix="lightbox-samples-") as folder:
        site = start_site(Path(folder) / "data")
        try:
            key = site.manage("facility", "add", "Samples")["key"]
            os.environ.update(site_environment(site.data))
            django.setup()
            yield site, key
        finally:
            stop_site(site)


# --- publishing


def _publish(site: Site, key: str, file: Path) -> Line:
    content_type, body = related([file.read_bytes()])
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type, "Accept": "application/dicom+json"}
    answer = requests.post(f"{site.url}/dicom-web/studies", body, headers=headers, timeout=300)
    return Line(file, answer.status_code, why=_reason(answer))


def _reason(answer: requests.Response) -> str:
    """The sentence of a refusal."""
    said = answer.json() if answer.content else {}
    codes = [f"{code:04X}H" for code in _failures(said)]
    return " ".join([*codes, answer.headers.get("Warning", ""), str(said.get("message", ""))]).strip()


def _failures(said: dict[str, Any]) -> Iterator[int]:
    for failed in said.get(FAILURES, {}).get("Value", []):
        yield from failed.get(REASON, {}).get("Value", [])


def _all_ready() -> bool:
    from studies.models import Study

    return not Study.objects.exclude(state=Study.State.READY).exists()


# --- what became of it


def _tell(line: Line) -> tuple[Line, Pair | None]:
    from django.db import connection

    try:
        return _compared(*_found(line))
    finally:
        connection.close()


def _found(line: Line) -> tuple[Line, Image.Image | None]:
    """The file's fate, and its picture where one is stored."""
    from studies import words
    from studies.models import Instance, Quarantined

    digest = hashlib.sha256(line.file.read_bytes()).digest()
    if set_aside := Quarantined.objects.filter(sha256=digest).first():
        return replace(line, fate="quarantined", why=str(set_aside.get_reason_display())), None
    instance = Instance.objects.filter(sha256=digest).select_related("series").first()
    if instance is None:
        return line, None
    if instance.superseded_at:
        return replace(line, fate="older version", why="a newer version is shown"), None
    if stored := _stored(instance):
        return replace(line, fate="shown", why="", by_series=_is_by_series(instance)), stored
    return replace(line, fate="sentence", why=words.sentence(instance.note) or "NO SENTENCE"), None


def _compared(line: Line, stored: Image.Image | None) -> tuple[Line, Pair | None]:
    from studies.refusals import Refusal

    if line.fate in ("refused", "sentence"):
        return line, None
    try:
        pixels, chosen = ours(line.file)
    except Refusal:  # no picture
        return line, None
    found = oracle.picture(line.file, chosen)
    if found is None:
        return replace(line, witness="nobody"), None
    witness, theirs = found
    return differences(replace(line, witness=witness), stored, pixels, _hung(theirs, line.file))


def _hung(theirs: NDArray[np.uint8], file: Path) -> NDArray[np.uint8]:
    """Theirs as a mammogram should hang: dcm2pnm leaves it as the machine stored it."""
    from studies.dicom import open_dataset
    from studies.rendering import hung

    return hung(theirs, open_dataset(file.read_bytes()).dataset, 0)


def _is_by_series(instance: Any) -> bool:
    """Whether its preview is made by more than the file: the range of its series, or all tiles of a slide."""
    from studies.models import Rendition

    made = Rendition.objects.filter(series=instance.series, size=Rendition.Size.PREVIEW).first()
    return bool(made and made.made_with.get("range")) or instance.series.modality == "SM"


def _stored(instance: Any) -> Image.Image | None:
    """The preview of its first frame, as the patient gets it."""
    from studies.models import Rendition
    from studies.store import objects

    for rendition in Rendition.objects.filter(series=instance.series, size=Rendition.Size.PREVIEW):
        for pk, frame, offset, length, _, _ in rendition.pictures:
            if (pk, frame) == (instance.pk, 0):
                return Image.open(BytesIO(b"".join(objects.read(rendition.stack, offset, length))))
    return None


def ours(file: Path, frame: int = 0) -> tuple[NDArray[np.uint8], tuple[float, float] | None]:
    """A frame (from 0) at full size and before JPEG, and the range we chose where the file does not say."""
    from studies.dicom import open_dataset
    from studies.rendering import showable, shown
    from studies.rendering.codecs import decode
    from studies.rendering.curves import Span, Window
    from studies.rendering.grey import way_of
    from studies.rendering.pixels import frame_content

    opened = open_dataset(file.read_bytes())
    shape = showable(opened)
    content, whole = frame_content(opened, shape, frame), 1 << 20
    pixels = shown(opened, shape, frame, content, whole)
    if pixels.ndim == 3:
        return pixels, None
    match way_of(decode(content, opened, shape, frame, whole), shape, opened.dataset, frame).curve:
        case Span(low, high):
            return pixels, (low, high)
        case Window(40, 400):  # of the file or customary: the same
            return pixels, (-159.5, 239.5)
    return pixels, None


def differences(
    line: Line, stored: Image.Image | None, pixels: NDArray[np.uint8], theirs: NDArray[np.uint8]
) -> tuple[Line, Pair | None]:
    """The line with its differences; the picture at full size is held against theirs, and so is the stored one."""
    if pixels.ndim > theirs.ndim and pixels.shape[:2] == theirs.shape:
        # DCMTK knows no supplemental palette: what it cannot colour it cannot judge.
        return replace(line, witness="nobody"), None
    if pixels.shape != theirs.shape:
        return replace(line, why=f"{pixels.shape} is not {theirs.shape}", most=255), None
    line = replace(line, most=int(_apart(pixels, theirs).max()))
    if stored is None or line.by_series:
        return line, Pair(Image.fromarray(pixels), Image.fromarray(theirs))
    fitted = _through_jpeg(_fitted(Image.fromarray(theirs), stored.size))
    mean = float(_apart(np.asarray(stored), np.asarray(fitted)).mean())
    return replace(line, mean=mean), Pair(stored, fitted)


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return picture
    shrinks = size[0] <= picture.width // 2 and size[1] <= picture.height // 2
    return picture.resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)


def _through_jpeg(picture: Image.Image) -> Image.Image:
    picture.save(buffer := BytesIO(), "JPEG", **JPEG)
    return Image.open(buffer)


def _apart(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int16]:
    """How far two pictures are from each other; a grey one is one of colours that are equal."""
    colours = max(left.ndim, right.ndim) == 3
    one, other = (np.dstack([side] * 3) if colours and side.ndim == 2 else side for side in (left, right))
    apart: NDArray[np.int16] = np.abs(one.astype(np.int16) - other)
    return apart


# --- telling


def _written(lines: Iterable[Line], folder: Path) -> Iterator[str]:
    yield "file\tstatus\tfate\twhy\twitness\tmean difference as stored\tmost at full size\tright"
    right = {True: "yes", False: "NO", None: ""}
    for line in lines:
        numbers = ["" if line.mean is None else f"{line.mean:.2f}", "" if line.most is None else str(line.most)]
        said = [str(line.file.relative_to(folder)), str(line.status), line.fate, line.why, line.witness]
        yield "\t".join([*said, *numbers, right[line.right]])


def _summary(lines: list[Line]) -> str:
    fates = Counter(line.fate for line in lines)
    judged = [line for line in lines if line.right is not None]
    right = sum(line.right is True for line in judged)
    told = [f"{len(lines)} files: " + ", ".join(f"{count} {fate}" for fate, count in fates.most_common())]
    told += [f"answers: {dict(Counter(line.status for line in lines))}"]
    told += [f"first pictures that others can show: {right} of {len(judged)} right, by {_by_witness(judged)}"]
    told += [f"those of them that are shown: {sum(line.right is True and line.fate == 'shown' for line in judged)}"]
    told += [f"shown, and nobody else can: {sum(line.witness == 'nobody' for line in lines)}"]
    told += [f"  {count} × {fate}: {why}" for (fate, why), count in _reasons(lines)]
    return "\n".join(told)


def _by_witness(judged: Iterable[Line]) -> dict[str, int]:
    return dict(Counter(line.witness for line in judged).most_common())


def _reasons(lines: Iterable[Line]) -> list[tuple[tuple[str, str], int]]:
    return Counter((line.fate, line.why) for line in lines if line.fate != "shown").most_common()


def _passes(lines: list[Line]) -> bool:
    judged = [line for line in lines if line.right is not None]
    return all(line.status < 500 for line in lines) and sum(line.right is False for line in judged) <= len(judged) / 100


def _draw(pairs: list[Pair], path: Path) -> None:
    """Ours above theirs, side by side."""
    path.unlink(missing_ok=True)
    if not pairs:
        return
    sheet = Image.new("RGB", (SHEET_SIDE * min(len(pairs), 10), 2 * SHEET_SIDE * -(-min(len(pairs), SHEET_MOST) // 10)))
    for place, pair in enumerate(pairs[:SHEET_MOST]):
        left, top = place % 10 * SHEET_SIDE, place // 10 * 2 * SHEET_SIDE
        for below, image in enumerate((pair.ours, pair.theirs)):
            small = image.convert("RGB")
            small.thumbnail((SHEET_SIDE, SHEET_SIDE))
            sheet.paste(small, (left, top + below * SHEET_SIDE))
    sheet.save(path)


if __name__ == "__main__":
    sys.exit(main())
