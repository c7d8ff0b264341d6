"""The pipeline's first step: read each header once and keep what it says, of the instance and of all above it.

The headers are read in the sandbox. What comes back is a stranger's word: it is cut to size before it becomes
a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast
from uuid import UUID

from django.db import connection
from django.db.models import Field
from django.utils import timezone

from studies import identity, indexing, patients, rejections, reports, sandbox
from studies.apart import UNREADABLE, ask_in_turns
from studies.documents import enclosed
from studies.identity import Said
from studies.jobs import Hold
from studies.models import FacilityPatient, Instance, Series, Study
from studies.orders import joining
from studies.patients import Source, is_same
from studies.refusals import SENTENCES
from studies.sandbox import SandboxDied
from studies.stacks import PICTURED
from studies.store import objects
from studies.values import dicom_date, dicom_time

Facts = dict[str, Any]

FIRST: Final = 16
"""Instances of a new study that are read at once, so that something of it can be shown while the rest arrives."""
RECORDED: Final = 400
"""Instances written in one transaction."""
BATCH: Final = 50
"""Instances that one child reads."""
BATCH_BYTES: Final = 64 * 2**20
# Where nobody knows where the pixels begin. Headers are rarely longer than some kilobytes.
MOST_HEADER: Final = 32 * 2**20
COLUMNS: Final = ("kind", "note", "instance_number", "frame_count", "facts", "indexed_at")
LONGEST: Final = 1024  # of a text or list that is kept
WRITTEN: Final = ("sr", "pdf", "document", "key objects", "presentation")
"""Kinds that programs make of an exam later, often under another name for it: the pictures' word counts first."""

# What is kept with each instance. Nothing of the patient: that is said once, in her row.
KEPT: Final = (
    *("study_date", "study_time", "study_description", "accession_number", "referring_physician"),
    *("modality", "series_number", "series_description", "body_part", "laterality", "image_laterality"),
    *("view_position", "image_type", "rows", "columns", "photometric", "burned_in", "frame_time", "windows"),
    *("image_position", "image_orientation", "pixel_spacing", "slice_location", "looks", "grey"),
    *("frame_order", "temporal_position", "acquisition_number", "echo_number", "b_value"),
    *("protocol", "procedure", "region", "region_name", "view", "kernel", "thickness", "class_name", "marks"),
    *("bits_stored", "presents"),
)


def index(study: Study, hold: Hold) -> None:
    """Read the headers of what is new in a study, then describe the study and its series by all of them."""
    while unread := _unread(study, RECORDED):
        _read(study, hold, unread)
    _describe(study, hold)
    study.refresh_from_db(fields=["accession_number"])
    reports.attach(study)
    joining.attach(study)
    enclosed.take_up(study, hold)


def index_first(study: Study, hold: Hold) -> None:
    """Read the headers of the first that have come of a new study, and describe it by these."""
    _read(study, hold, _unread(study, FIRST))
    _describe(study, hold)


def _unread(study: Study, most: int) -> list[Instance]:
    """The next instances whose headers nobody has read."""
    unread = study.instances.filter(superseded_at=None, indexed_at=None).defer("frames")
    return unread.order_by("pk")[:most].with_packs()


def _read(study: Study, hold: Hold, unread: Sequence[Instance]) -> None:
    # `_ask` by its name at each call: who asks is looked up late.
    said = list(ask_in_turns(_batches(unread), lambda batch: _ask(batch), lambda _, code: {"refused": code}, hold))
    with hold.writing():
        for instance, facts in zip(unread, said, strict=True):
            _set(instance, facts)
        _save(unread, COLUMNS)
        _learn(study, said)
        rejections.heed(study, zip(unread, said, strict=True))


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    """As many at a time as one child is given."""
    batch: list[Instance] = []
    size = 0
    for instance in instances:
        size += _header_length(instance)
        if batch and (size > BATCH_BYTES or len(batch) >= BATCH):
            yield batch
            batch, size = [], _header_length(instance)
        batch.append(instance)
    if batch:
        yield batch


def _header_length(instance: Instance) -> int:
    return min(instance.pixel_offset or instance.length, MOST_HEADER)


def _ask(batch: Sequence[Instance]) -> list[Facts]:
    with objects.Shelf() as shelf:
        headers = [shelf.read(one.pack, one.offset, _header_length(one)) for one in batch]
    said = sandbox.run("facts", {}, headers).values.get("facts")
    if not isinstance(said, list) or len(said) != len(batch) or not all(isinstance(each, dict) for each in said):
        raise SandboxDied("its answer makes no sense")
    return [_cut(each) for each in said]


def _set(instance: Instance, facts: Facts) -> None:
    kind, note, refused = (_first([facts], name) for name in ("kind", "note", "refused"))
    instance.kind = kind if kind in PICTURED or kind in SENTENCES else "other"
    instance.note = "" if kind in PICTURED else note if note in SENTENCES else instance.kind
    if refused:
        instance.note = refused if refused in SENTENCES else UNREADABLE
    instance.instance_number = _integer(facts.get("instance_number"), bits=64)
    instance.frame_count = max(1, _integer(facts.get("frames"), bits=32) or 1)
    instance.facts = {name: facts[name] for name in KEPT if name in facts}
    instance.indexed_at = timezone.now()


def _learn(study: Study, said: Sequence[Facts]) -> None:
    """Keep what the headers say of the patient, decoded by their character set; the web process could not."""
    patient = FacilityPatient.objects.select_for_update(no_key=True).get(pk=study.patient_id)
    # What staff took in for her under another's name tells nothing of her.
    said = [facts for facts in said if is_same(patient, _first([facts], "patient_id"), _first([facts], "issuer"))]
    for told in dict.fromkeys(_told([facts]) for facts in said):
        if identity.contradicts(patient, told):
            identity.note(study, told)
            return
    whole = _told(said)
    patients.learn(patient, name=whole.name, birth_date=whole.birth_date, sex=whole.sex, source=Source.IMAGES)


def _told(said: Sequence[Facts]) -> Said:
    name = _first(said, "patient_name") or _first(said, "patient_name_ideographic")
    return Said(name[:400], dicom_date(_first(said, "birth_date")), _first(said, "sex")[:16])


def _describe(study: Study, hold: Hold) -> None:
    with hold.writing():
        _describe_by_all(study)


def _describe_by_all(study: Study) -> None:
    """Describe the series and the study by all their present instances; the newest word counts."""
    present = list(study.instances.present().defer("frames").order_by("-pk"))
    by_series: dict[UUID, list[Instance]] = defaultdict(list)
    for instance in present:
        by_series[instance.series_id].append(instance)
    for series in study.series.order_by("pk"):
        Series.objects.filter(pk=series.pk).update(**_series_columns(by_series[series.pk]))
        _put_in_order(by_series[series.pk])
    Study.objects.filter(pk=study.pk).update(**_study_columns(present, present or _taken_back(study)))


def _taken_back(study: Study) -> list[Instance]:
    """What rejection notes have hidden: it still says which exam this was, better than a note does."""
    hidden = list(study.instances.filter(superseded_at=None).defer("frames").order_by("-pk"))
    return [instance for instance in hidden if instance.kind != "key objects"] or hidden


def _study_columns(present: Sequence[Instance], telling: Sequence[Instance]) -> Facts:
    newest = [instance.facts for instance in sorted(telling, key=lambda one: one.kind in WRITTEN)]
    return {
        "description": _first(newest, "study_description")[:200],
        "study_date": dicom_date(_first(newest, "study_date")),
        "study_time": dicom_time(_first(newest, "study_time")),
        "accession_number": _first(newest, "accession_number")[:64],
        "referring_physician": _first(newest, "referring_physician")[:400],
        "body_part": _first(newest, "body_part")[:64],
        "modalities": sorted({_first([facts], "modality")[:16] for facts in newest} - {""}),
        "series_count": len({instance.series_id for instance in present}),
        "instance_count": len(present),
        "size": sum(instance.length for instance in present),
    }


def _series_columns(present: Sequence[Instance]) -> Facts:
    newest = [instance.facts for instance in present]
    sides = {_first([facts], "image_laterality") or _first([facts], "laterality") for facts in newest}
    numbers = (_integer(facts.get("series_number"), bits=32) for facts in newest)
    return {
        "number": next((number for number in numbers if number is not None), None),
        "modality": _first(newest, "modality")[:16],
        "description": _first(newest, "series_description")[:200],
        "body_part": _first(newest, "body_part")[:64],
        "laterality": sides.pop()[:16] if len(sides) == 1 else "",
        "plane": indexing.plane(newest),
        "frame_time": next(filter(None, (_milliseconds(facts.get("frame_time")) for facts in newest)), None),
        "instance_count": len(present),
        "has_grey": any(facts.get("grey") is True for facts in newest),
        "longest_side": max((_longest(facts) for facts in newest), default=0),
    }


def _longest(facts: Facts) -> int:
    return max(0, *(_integer(facts.get(side), bits=32) or 0 for side in ("rows", "columns")))


def _put_in_order(instances: Sequence[Instance]) -> None:
    moved = []
    said = [{**one.facts, "instance_number": one.instance_number, "sop_uid": one.sop_uid} for one in instances]
    for order, place in enumerate(indexing.series_order(said)):
        if instances[place].order != order:
            instances[place].order = order
            moved.append(instances[place])
    _save(moved, ["order"])


def _save(instances: Sequence[Instance], columns: Sequence[str]) -> None:
    """Write these columns of each, by one statement that the database reads once.

    Django would save one by one, or build one statement that says every value by a CASE: both take many times longer.
    """
    if not instances:
        return
    table = Instance._meta
    fields = [cast("Field[Any, Any]", table.get_field(column)) for column in columns]
    quoted = connection.ops.quote_name
    assigned = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields)
    rows = [
        [*(field.get_db_prep_save(getattr(one, field.attname), connection) for field in fields), one.pk]
        for one in instances
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quoted(table.db_table)} SET {assigned} WHERE id = %s", rows)  # noqa: S608


def _first(said: Iterable[Facts], name: str) -> str:
    """The first text of this name that says something."""
    return next((value for value in (facts.get(name) for facts in said) if value and isinstance(value, str)), "")


def _integer(value: Any, *, bits: int) -> int | None:
    """A number that a column of so many bits takes, or None."""
    most = 1 << (bits - 1)
    return value if isinstance(value, int) and -most <= value < most else None


def _milliseconds(value: Any) -> float | None:
    """A time between two pictures that makes a film, or None."""
    return float(value) if isinstance(value, int | float) and 0 < value < 60_000 else None


def _cut(said: Facts) -> Facts:
    """The facts of one file, each cut to size; a rejection note may name more than a list may hold."""
    rest = {name: value for name, value in said.items() if name != "rejects"}
    return {**_clean(rest), **rejections.cleaned(said)}


def _clean(value: Any) -> Any:
    """A value that any database takes as JSON, and not too much of it."""
    match value:
        case str():
            return value.replace("\0", "")[:LONGEST]
        case list():
            return [_clean(each) for each in value[:LONGEST]]
        case dict():
            return {str(_clean(key)): _clean(each) for key, each in value.items()}
        case bool() | int() | float():
            return value
    return None
