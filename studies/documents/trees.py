"""What `structured` read in a document, as the blocks of a page and as plain text.

The list was made in the sandbox, from a stranger's file: it is checked once, when it comes, and sealed. A page and a
text file are made of the same blocks. Everything in them is text; templates escape it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from studies.values import dicom_date, dicom_time

MOST_ITEMS: Final = 4_000
MOST_BYTES: Final = 8 * 2**20
DEEPEST_HEADING: Final = 4
KINDS: Final = frozenset(
    {"section", "text", "code", "number", "date", "time", "datetime", "person", "image", "unshown"}
)
_LIMITS: Final = {"n": 300, "v": 200_000, "u": 40, "c": 40, "i": 64}

UNSHOWN: Final[dict[str, Promise]] = {
    "WAVEFORM": _("a recording of signals"),
    "TCOORD": _("a moment in a recording"),
    "SCOORD": _("a marked place"),
    "SCOORD3D": _("a marked place"),
    "COMPOSITE": _("another file"),
    "TABLE": _("a table"),
}
# What a dose report comes to, by the codes of PS3.16 TID 10001, 10011 and 10021, in words for whom it is about.
DOSE: Final[dict[str, Promise]] = {
    "DCM:113813": _("CT: dose-length product of the whole exam"),
    "DCM:113722": _("X-ray: dose-area product of the whole exam"),
    "DCM:113725": _("X-ray: dose at the reference point, whole exam"),
    "DCM:113730": _("X-ray: time of fluoroscopy"),
    "DCM:113507": _("Radioactive medicine: activity given"),
}
_MOST_TOTALS: Final = 12
_LONG_FRACTION: Final = re.compile(r"-?\d{1,12}\.\d{4,}")
_DATETIME: Final = re.compile(r"(\d{8})(\d{2,6})?")

Addresses = Mapping[tuple[str, int], str]
"""Where a picture can be seen: by SOP Instance UID and frame (from 1)."""


class Senseless(ValueError):
    """The list is not what `structured` makes."""


@dataclass(frozen=True)
class Item:
    """One item: see `structured`. `image` is a SOP Instance UID, `frames` count from 1."""

    depth: int
    kind: str
    name: str = ""
    value: str = ""
    unit: str = ""
    code: str = ""
    image: str = ""
    frames: tuple[int, ...] = ()
    about: bool = False
    joined: bool = False


@dataclass(frozen=True)
class Tree:
    """A whole document; `cut` when some of it was too much to be shown."""

    items: Sequence[Item]
    cut: bool = False


@dataclass
class Row:
    """One value: its name, what else is said of it, and the pictures that it is about."""

    name: str
    value: str
    number: bool = False
    notes: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


@dataclass
class Block:
    """A heading (`level` from 1), a text, a list of values, or a table of measured values."""

    kind: str
    text: str = ""
    level: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The paragraphs of a text."""
        return [part.strip() for part in re.split(r"\n\s*\n", self.text) if part.strip()]


@dataclass(frozen=True)
class Sheet:
    """A document laid out for a reader: what it comes to, the whole of it, and what it says of itself."""

    blocks: Sequence[Block]
    totals: Sequence[Row] = ()
    about: Sequence[Row] = ()
    cut: bool = False


# --- in and out of the store


def parse(blob: bytes) -> Tree:
    """Understand a list. Raises Senseless."""
    if len(blob) > MOST_BYTES:
        raise Senseless
    try:
        said = json.loads(blob)
        items = [_item(one) for one in said["items"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Senseless from error
    if len(items) > MOST_ITEMS:
        raise Senseless
    return Tree(items, cut=said.get("cut") is True)


def _item(said: Any) -> Item:
    texts = {key: said.get(key, "") for key in _LIMITS}
    frames = said.get("f", [])
    if said["k"] not in KINDS or not 1 <= int(said["d"]) <= 64 or not all(isinstance(one, int) for one in frames):
        raise Senseless
    if any(not isinstance(text, str) or len(text) > _LIMITS[key] for key, text in texts.items()):
        raise Senseless
    name, value, unit, code, image = texts.values()
    return Item(
        depth=int(said["d"]),
        kind=said["k"],
        name=name,
        value=value,
        unit=unit,
        code=code,
        image=image,
        frames=tuple(frames),
        about=bool(said.get("a")),
        joined=bool(said.get("j")),
    )


def pictures(tree: Tree) -> set[str]:
    """The SOP Instance UIDs of the pictures it points to."""
    return {item.image for item in tree.items if item.image}


# --- laid out


def lay_out(tree: Tree, addresses: Addresses | None = None, *, is_dose: bool = False) -> Sheet:
    """The document in the reader's language. With `addresses`, pictures are links, or said not to be here."""
    blocks = _Layout(addresses).of(item for item in tree.items if not item.about)
    context = _Layout(None).of(item for item in tree.items if item.about and item.kind != "image")
    about = [row for block in context for row in block.rows]
    return Sheet(blocks, list(_totals(tree.items)) if is_dose else [], about, tree.cut)


def as_text(sheet: Sheet, *, with_about: bool = True) -> str:
    """The same as plain text, a blank line before each heading and text; what it says of itself last, if wanted."""
    lines: list[str] = [_spoken(row) for row in sheet.totals]
    for block in sheet.blocks:
        if block.text:
            lines += ["", block.text]
        lines += [_spoken(row) for row in block.rows]
    if with_about:
        lines += ["", *(_spoken(row) for row in sheet.about)]
    if sheet.cut:
        lines += ["", gettext("This is only a part. The file that the facility sent has all of it.")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Layout:
    """Turns items into blocks, one after the other."""

    def __init__(self, addresses: Addresses | None) -> None:
        self._addresses = addresses
        self._blocks: list[Block] = []
        # The items above the present one, each with the row that what is below it belongs to, if any.
        self._open: list[tuple[Item, Row | None]] = []
        self._running = False

    def of(self, items: Iterable[Item]) -> list[Block]:
        for item in items:
            while self._open and self._open[-1][0].depth >= item.depth:
                self._open.pop()
            self._open.append((item, self._put(item)))
        for block in self._blocks:
            numbers = sum(row.number for row in block.rows)
            block.kind = "table" if numbers > 1 and 2 * numbers >= len(block.rows) else block.kind
        return self._blocks

    def _put(self, item: Item) -> Row | None:
        """Place an item; the row that what is below it belongs to, if any."""
        above, row = self._open[-1] if self._open else (None, None)
        running, self._running = self._running, False
        if item.kind == "section":
            self._blocks.append(Block("heading", item.name, self._level()))
            return None
        if row is not None:
            return self._note(row, item)
        if item.kind == "text" and _is_prose(item) and not item.joined:
            self._text(item)
        elif above is not None and above.joined and above.kind != "section":
            self._aside(item)
        elif item.joined and item.kind not in ("image", "unshown"):
            self._join(item, running=running)
        else:
            return self._fact(item)
        return None

    def _level(self) -> int:
        return min(1 + sum(item.kind == "section" for item, _ in self._open), DEEPEST_HEADING)

    def _text(self, item: Item) -> None:
        heading = self._blocks[-1].text if self._blocks and self._blocks[-1].kind == "heading" else ""
        if item.name and item.name.casefold().rstrip("s") != heading.casefold().rstrip("s"):
            self._blocks.append(Block("heading", item.name, self._level()))
        self._blocks.append(Block("text", item.value))

    def _fact(self, item: Item) -> Row:
        if not self._blocks or self._blocks[-1].kind != "facts":
            self._blocks.append(Block("facts"))
        row = self._row(item)
        self._blocks[-1].rows.append(row)
        return row

    def _join(self, item: Item, *, running: bool) -> None:
        """Go on in a running text; a full stop or comma needs no blank before it."""
        said = _value(item)
        if running and self._blocks[-1].kind == "text":
            self._blocks[-1].text += said if said[:1] in ".,;:)" else f" {said}"
        else:
            self._blocks.append(Block("text", said))
        self._running = True

    def _aside(self, item: Item) -> None:
        """What is said of a piece of running text, in brackets behind it."""
        if item.kind not in ("image", "unshown") and self._blocks[-1].kind == "text":
            self._blocks[-1].text += f" ({_spoken(self._row(item))})"
        self._running = True

    def _note(self, row: Row, item: Item) -> Row:
        said = self._row(item)
        row.pictures += [address for address in said.pictures if address not in row.pictures]
        if item.kind != "image":
            row.notes.append(_spoken(said))
        return row

    def _row(self, item: Item) -> Row:
        row = Row(item.name, _value(item), number=item.kind == "number")
        if item.kind == "image":
            row.name = item.name or gettext("Picture")
            self._point(row, item)
        return row

    def _point(self, row: Row, item: Item) -> None:
        if self._addresses is not None:
            found = (self._addresses.get((item.image, frame)) for frame in item.frames or (1,))
            row.pictures = [address for address in found if address]
            row.value = "" if row.pictures else gettext("not in this exam")


def _is_prose(item: Item) -> bool:
    """Whether a text is one to read, and not a value with a name."""
    return not item.name or len(item.value) > 40 or "\n" in item.value or item.value.endswith(".")


def _value(item: Item) -> str:
    if item.kind == "number":
        return _measured(item)
    if item.kind == "image":
        return gettext("a picture") if item.name else ""
    if item.kind == "unshown":
        what = UNSHOWN.get(item.value)
        return gettext("%(what)s, not shown here") % {"what": what} if what else gettext("not shown here")
    return _moment(item) if item.kind in ("date", "time", "datetime") else item.value


def _measured(item: Item) -> str:
    if not item.value:
        return gettext("no value")
    value = f"{float(item.value):.3f}".rstrip("0").rstrip(".") if _LONG_FRACTION.fullmatch(item.value) else item.value
    value = item.value if value.strip("-0.") == "" else value  # so small that rounding would leave nothing
    return f"{value} {item.unit}".strip()


def _moment(item: Item) -> str:
    """A date or time in the reader's way; as it was written where it is neither."""
    if item.kind == "time":
        moment = dicom_time(item.value)
        return time_format(moment) if moment else item.value
    found = _DATETIME.match(item.value)
    day = dicom_date(found[1] if found else item.value)
    if day is None:
        return item.value
    moment = dicom_time(found[2]) if found and found[2] and item.kind == "datetime" else None
    return f"{date_format(day)} {time_format(moment)}" if moment else str(date_format(day))


def _spoken(row: Row) -> str:
    said = ": ".join(part for part in (row.name, row.value) if part)
    return f"{said} ({'; '.join(row.notes)})" if row.notes else said


def _totals(items: Sequence[Item]) -> Iterator[Row]:
    """What the whole exam comes to, each total once."""
    numbers = (item for item in items if item.kind == "number" and item.value)
    found = [(item.code, _measured(item)) for item in numbers if item.code in DOSE]
    for code, measured in list(dict.fromkeys(found))[:_MOST_TOTALS]:
        yield Row(str(DOSE[code]), measured, number=True)
