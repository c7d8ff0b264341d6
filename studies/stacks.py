"""The pipeline's second step: the pictures of each series, made once and sealed together in one stack.

What the stack before had is taken over as it is: a publication that adds one instance to a thousand decodes one.
While a new study arrives each series has a first picture only, and the others when its sender pauses: to write the
stack anew for each of forty requests would seal the first pictures forty times.
The new stack is durable before its row. The old one's row goes in the same transaction, and its key with it; the
sweep takes the bytes, later than the last reader who still held the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final, TypeVar

from django.db.models import Q

from studies import presented, words
from studies.jobs import Hold
from studies.models import Instance, Rendition, SealedObject, Series, Study
from studies.presented import IMAGES, PRESENTATION
from studies.showing import Asked, Picture, Shown, can_be_sent, is_slide, range_over, show
from studies.store import objects
from studies.store.objects import SealedWriter

THUMBNAIL, PREVIEW = Rendition.Size.THUMBNAIL, Rendition.Size.PREVIEW

MOST_FRAMES: Final = 600  # of one instance; a longer recording is for special software
PICTURED: Final = ("image", "multiframe", "segmentation")
UNPRESENTED: Final = ("presentation", "presentation alone")
"""Notes of presentation states whose images may still come."""
PARTLY: Final = ("", words.SOME, words.FIRST_FRAMES)  # notes of instances that have pictures, or may have

Key = tuple[int, int]
"""Instance and frame (from 0); of a presentation state, which of the pictures that it is for."""
Entry = list[int]
"""A row of `Rendition.pictures`: instance, frame, offset, length, width, height."""
Row = TypeVar("Row")


def render(study: Study, hold: Hold) -> None:
    """See that every series of the study has the pictures of its present instances."""
    stacks = [Stack(study, series, hold) for series in study.series.order_by("pk")]
    _make([stack for stack in stacks if not stack.is_complete], hold)
    with hold.writing():
        for stack in stacks:
            Series.objects.filter(pk=stack.series.pk).update(note=_note(stack.series, len(stack.entries)))
        _count(study, stacks)


def render_first(study: Study, hold: Hold) -> None:
    """Give each series that has no picture yet a first one, while more of it arrives; nothing is said of the rest."""
    stacks = [Stack(study, series, hold, only_one=True) for series in study.series.order_by("pk")]
    _make([stack for stack in stacks if not stack.entries and not stack.is_complete], hold)
    with hold.writing():
        _count(study, stacks)


def _make(stacks: Sequence[Stack], hold: Hold) -> None:
    """Ask for what all of them miss in one go, so that many short series keep the sandbox as busy as one long one."""
    for stack in stacks:
        stack.prepare()
    with closing(show((asked for stack in stacks for asked in stack.missing()), hold)) as made:
        for stack in stacks:
            stack.write(made)


def _count(study: Study, stacks: Sequence[Stack]) -> None:
    Study.objects.filter(pk=study.pk).update(image_count=sum(len(stack.entries) for stack in stacks))


class Stack:
    """The pictures of one series: what there is, what is wanted, and the putting together of both."""

    def __init__(self, study: Study, series: Series, hold: Hold, *, only_one: bool = False) -> None:
        self.series = series
        self._study = study
        self._hold = hold
        self._instances = _pictured(series)
        self._presented = presented.pictures_of(study, [one for one in self._instances.values() if _is_state(one)])
        self._wanted = [(pk, frame) for pk, one in self._instances.items() for frame in self._places(one)]
        self._only_one = only_one
        if only_one and self._wanted:
            self._wanted = [_middle(self._wanted)]
        self._old = {Rendition.Size(old.size): old for old in series.renditions.select_related("stack__patient")}
        self._reusable = True
        self._refused: dict[int, str] = {}
        self._thumbnail: tuple[Key, Picture] | None = None
        self._made_with: dict[str, Any] = {"images": self._images()} if self._presented else {}
        self.entries: list[Entry] = self._old[PREVIEW].pictures if PREVIEW in self._old else []

    def _places(self, instance: Instance) -> Sequence[int]:
        """Which pictures of an instance there are."""
        return range(len(self._presented[instance.pk])) if _is_state(instance) else _in_order(instance)

    def _images(self) -> list[list[int]]:
        """What the pictures of presentation states are made of, as `Rendition.made_with` says it."""
        numbered = ((pk, *one) for pk, sources in self._presented.items() for one in enumerate(sources))
        return [[pk, number, image.pk, frame] for pk, number, (image, frame) in numbered]

    @property
    def is_complete(self) -> bool:
        """Whether the old stack holds exactly what is wanted, and nothing that was taken out since."""
        held = sum(length for old in self._old.values() for _, _, _, length, *_ in old.pictures)
        is_tight = all(old.stack.length == held for old in self._old.values())
        is_of_these = all(old.made_with.get("images") == self._made_with.get("images") for old in self._old.values())
        return is_tight and is_of_these and self._wanted == [_key(entry) for entry in self.entries]

    def prepare(self) -> None:
        """Find what the pictures depend on besides their own files. Where that has changed the old ones are of no use,
        so that a series looks the same however many requests it came in."""
        unwindowed = [self._asked(key, (PREVIEW,)) for key in self._wanted if _says_no_window(self._instances[key[0]])]
        if len(unwindowed) > 1 and not self._only_one:
            self._hold.renew()
            if found := range_over(unwindowed):
                self._made_with["range"] = list(found)
        if any(old.made_with != self._made_with for old in self._old.values()):
            self.entries, self._reusable = [], False

    def missing(self) -> Iterator[Asked]:
        """What has to be asked for, in order."""
        old = {_key(entry) for entry in self.entries}
        middle = _middle(self._wanted) if self._wanted else None
        for key in self._wanted:
            if key not in old:
                yield self._asked(key, (THUMBNAIL, PREVIEW) if key == middle else (PREVIEW,))

    def _asked(self, key: Key, sizes: tuple[str, ...]) -> Asked:
        instance, place = self._instances[key[0]], key[1]
        if _is_state(instance):
            image, frame = self._presented[instance.pk][place]
            return Asked(image, frame, sizes, state=instance)
        low, high = self._made_with.get("range") or (None, None)
        return Asked(instance, place, sizes, stretch=None if low is None or high is None else (low, high))

    def write(self, made: Iterator[Shown]) -> None:
        """Make a new stack and put it in the place of the old one; `made` answers what was `missing`, in order."""
        writer = SealedWriter(self._study.facility_id, SealedObject.Kind.RENDITION)
        try:
            with objects.Shelf() as shelf:
                self.entries = self._fill(writer, shelf, made)
                thumbnail = self._add_thumbnail(writer, shelf)
            if self.entries:
                writer.commit_bytes()
        finally:
            writer.discard()
        with self._hold.writing():
            self._let_go()
            self.entries, thumbnail = self._standing(self.entries), self._standing(thumbnail)
            self._swap(writer, {PREVIEW: self.entries, THUMBNAIL: thumbnail})
            self._note_instances()

    def _let_go(self) -> None:
        """Forget what left the study while its pictures were made: they may be of somebody else."""
        sources = {(image, state) for state, _, image, _ in self._images()}
        looked_at = {*self._instances, *(image for image, _ in sources)}
        gone = set(
            self._study.instances.filter(pk__in=looked_at).exclude(rejected_at=None).values_list("pk", flat=True)
        )
        for pk in gone | {state for image, state in sources if image in gone}:
            self._instances.pop(pk, None)

    def _standing(self, entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry[0] in self._instances]

    def _fill(self, writer: SealedWriter, shelf: objects.Shelf, made: Iterator[Shown]) -> list[Entry]:
        """Put what is wanted into the stack, in order: the old pictures as they are, and those made."""
        old = {_key(entry): entry for entry in self.entries}
        entries = []
        for key in self._wanted:
            picture = self._kept(shelf, PREVIEW, old[key]) if key in old else self._take(key, next(made))
            if picture:
                entries.append(_put(writer, key, picture))
        return entries

    def _take(self, key: Key, shown: Shown) -> Picture | None:
        if shown.refused:
            self._refused[key[0]] = shown.refused
        if THUMBNAIL in shown.pictures:
            self._thumbnail = key, shown.pictures[THUMBNAIL]
        return shown.pictures.get(PREVIEW)

    def _kept(self, shelf: objects.Shelf, size: Rendition.Size, entry: Entry) -> Picture:
        """A picture of the old stack."""
        _, _, offset, length, width, height = entry
        return Picture(shelf.read(self._old[size].stack, offset, length), width, height)

    def _add_thumbnail(self, writer: SealedWriter, shelf: objects.Shelf) -> list[Entry]:
        """Put the small picture of the middle one behind the others."""
        if not self.entries:
            return []
        key = _key(_middle(self.entries))
        picture = self._small(key, shelf)
        return [_put(writer, key, picture)] if picture else []

    def _small(self, key: Key, shelf: objects.Shelf) -> Picture | None:
        if self._thumbnail and self._thumbnail[0] == key:
            return self._thumbnail[1]
        old = self._old[THUMBNAIL].pictures if THUMBNAIL in self._old and self._reusable else []
        if old and _key(old[0]) == key:
            return self._kept(shelf, THUMBNAIL, old[0])
        # The middle has moved: another instance came, or the one that was to stand for the series was refused.
        (shown,) = show([self._asked(key, (THUMBNAIL,))], self._hold)
        return shown.pictures.get(THUMBNAIL)

    def _swap(self, writer: SealedWriter, pictures: dict[Rendition.Size, list[Entry]]) -> None:
        stack = writer.row(self._study.patient) if self.entries else None
        for size, entries in pictures.items():
            if stack and entries:
                made = {"stack": stack, "pictures": entries, "made_with": self._made_with}
                Rendition.objects.update_or_create(series=self.series, size=size, defaults=made)
            else:
                Rendition.objects.filter(series=self.series, size=size).delete()
        SealedObject.objects.filter(pk__in={old.stack_id for old in self._old.values()}).delete()

    def _note_instances(self) -> None:
        """Say of each instance why pictures of it are missing, once all were asked for."""
        if self._only_one:
            return
        made = Counter(pk for pk, *_ in self.entries)
        for pk, instance in self._instances.items():
            note = _shortcoming(instance, made[pk], len(self._places(instance)), self._refused.get(pk, ""))
            if note != instance.note:
                Instance.objects.filter(pk=pk).update(note=note)


def _pictured(series: Series) -> dict[int, Instance]:
    """The present instances that have pictures or may have some, in order."""
    pictures = Q(kind__in=PICTURED, note__in=PARTLY)
    states = Q(kind=PRESENTATION, note__in=(*PARTLY, *UNPRESENTED))
    present = series.instances.present().filter(pictures | states)
    return {one.pk: one for one in present.order_by("order", "pk").with_packs()}


def _is_state(instance: Instance) -> bool:
    return instance.kind == PRESENTATION


def _says_no_window(instance: Instance) -> bool:
    """Whether the range of its series may matter to a picture: grey, of more bits than a screen has, and no window."""
    facts = instance.facts
    is_grey, bits = str(facts.get("photometric", "")).startswith("MONOCHROME"), facts.get("bits_stored")
    is_deep = not isinstance(bits, int) or bits > 8
    return (
        instance.kind in IMAGES and is_grey and is_deep and not facts.get("windows") and facts.get("modality") != "CT"
    )


def _frames(instance: Instance) -> int:
    if not can_be_sent(instance):
        return 0
    return 1 if is_slide(instance) else min(instance.frame_count, MOST_FRAMES)


def _in_order(instance: Instance) -> Sequence[int]:
    """The frames that are shown of an instance, as they are looked through; what says so is a stranger's word."""
    said, count = instance.facts.get("frame_order"), instance.frame_count
    is_order = isinstance(said, list) and len(said) == count and all(type(frame) is int for frame in said)
    order = said if is_order and sorted(said) == list(range(count)) else range(count)
    return order[: _frames(instance)]


def _shortcoming(instance: Instance, made: int, wanted: int, refused: str) -> str:
    if not made:
        return refused or _nothing_asked(instance)
    if made < wanted:
        return words.SOME
    return "" if is_slide(instance) or made >= instance.frame_count else words.FIRST_FRAMES


def _nothing_asked(instance: Instance) -> str:
    if _is_state(instance):
        return UNPRESENTED[1] if instance.facts.get("presents") else UNPRESENTED[0]
    return "slide" if is_slide(instance) else "too large"


def _note(series: Series, count: int) -> str:
    """What a page says under a series: why it has no pictures, or not all of them."""
    present = series.instances.present()
    notes = Counter(present.values_list("note", flat=True))
    if not count:
        del notes[""]
        return notes.most_common(1)[0][0] if notes else ""
    missing = present.filter(kind__in=PICTURED).exclude(note__in=("", words.FIRST_FRAMES))
    if missing.exists():
        return words.SOME
    return words.FIRST_FRAMES if notes[words.FIRST_FRAMES] else ""


def _put(writer: SealedWriter, key: Key, picture: Picture) -> Entry:
    offset = writer.length
    writer.write(picture.content)
    return [*key, offset, len(picture.content), picture.width, picture.height]


def _key(entry: Entry) -> Key:
    return entry[0], entry[1]


def _middle(rows: Sequence[Row]) -> Row:
    return rows[len(rows) // 2]
