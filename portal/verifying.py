"""Verify that a site is whole: the database, its rows and triggers, every object, every key, every byte.

What is found damaged is written down, so that nobody is served it; what is whole again is written down too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F, Model, QuerySet

from portal import rotation
from portal.counting import counted
from studies.models import Instance, Quarantined, Rendition, Report, SealedObject, Sidecar
from studies.store import damage, objects, scrub, tidying

BATCH: Final = 200
MOST_NAMED: Final = 20
TRIGGERS: Final = {
    "sqlite": ("audit_refuses_update", "audit_refuses_delete", "audit_refuses_replace"),
    "postgresql": ("audit_refuses_change", "audit_refuses_truncate"),
}
FLAWS: Final = {
    "missing": ("its file is missing", "their files are missing"),
    "key": ("its key does not open", "their keys do not open"),
    "bytes": ("its bytes are not those that were sealed", "their bytes are not those that were sealed"),
    "sha256": ("an instance in it is not the one received", "instances in them are not those received"),
}
# What is counted, as a person calls it: one and many.
CALLED: Final = {
    "instance": ("instance", "instances"),
    "quarantined": ("file set aside", "files set aside"),
    "rendition": ("stack of pictures", "stacks of pictures"),
    "report": ("report", "reports"),
    "sidecar": ("table of headers", "tables of headers"),
    "pack": ("pack of instances", "packs of instances"),
    "erased": ("erased object", "erased objects"),
    "unnamed files": ("file that no row names", "files that no row names"),
}

Say = Callable[[str], None]


@dataclass
class Verdict:
    """What was looked at, and a sentence for each thing that is not right."""

    looked_at: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> str:
        """What was looked at, in words."""
        return ", ".join(_called(count, name) for name, count in self.looked_at.items())


def verify(*, quick: bool, say: Say) -> Verdict:
    """Look at everything; `quick` reads no byte of the objects, only sizes and keys."""
    verdict = Verdict()
    verdict.problems += [*_database(verdict), *_triggers(), *_migrations(), *_rows(verdict)]
    _objects(verdict, quick, say)
    if rotation.is_under_way():
        verdict.notes.append("A rotation of keys is not finished: run `manage.py rotatekeys` again.")
    return verdict


def _database(verdict: Verdict) -> Iterator[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            yield from _sqlite(cursor)
        else:
            yield from _postgresql(cursor, verdict)


def _sqlite(cursor: Any) -> Iterator[str]:
    cursor.execute("PRAGMA integrity_check(10)")
    yield from (f"The database is damaged: {row[0]}." for row in cursor.fetchall() if row[0] != "ok")
    cursor.execute("PRAGMA foreign_key_check")
    if broken := cursor.fetchall():
        rows = counted(len(broken), "row of the database names", "rows of the database name")
        yield f"{rows} others that are not there."


def _postgresql(cursor: Any, verdict: Verdict) -> Iterator[str]:
    cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")
    if not cursor.fetchone():
        verdict.notes.append("Indexes were not checked: CREATE EXTENSION amcheck in this database lets us.")
        return
    cursor.execute(
        "SELECT c.oid, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.amname = 'btree' AND n.nspname = current_schema() AND i.indisvalid AND c.relpersistence = 'p'"
    )
    for oid, name in cursor.fetchall():
        if said := _refused(cursor, oid):
            yield f"The index {name} is damaged: {said}."


def _refused(cursor: Any, oid: int) -> str:
    try:
        with transaction.atomic():
            cursor.execute("SELECT bt_index_check(%s, true)", [oid])
    except DatabaseError as error:
        return type(error).__name__
    return ""


def _triggers() -> Iterator[str]:
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(catalog[connection.vendor])
        present = {row[0] for row in cursor.fetchall()}
    for name in TRIGGERS[connection.vendor]:
        if name not in present:
            yield f"The record of deeds can be changed: its trigger {name} is gone."


def _migrations() -> Iterator[str]:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield "The database is of an earlier version: run `manage.py migrate`."


def _rows(verdict: Verdict) -> Iterator[str]:
    """Rows that name more bytes than their object has."""
    beyond = F("pack__length") - F("length")
    for model in (Instance, Quarantined):
        rows = model._default_manager.all()
        verdict.looked_at[_name(model)] = rows.count()
        if count := rows.filter(offset__gt=beyond).count():
            reach = "reaches beyond the end of its object" if count == 1 else "reach beyond the end of their objects"
            yield f"{_called(count, _name(model))} {reach}."
    if count := sum(_reaches_beyond(one) for one in Rendition.objects.select_related("stack").iterator(BATCH)):
        are_shorter = "is shorter than its row says" if count == 1 else "are shorter than their rows say"
        yield f"{_called(count, 'rendition')} {are_shorter}."
    for moved in _of_another_patient():
        if count := moved.count():
            are = "is" if count == 1 else "are"
            yield f"{_called(count, _name(moved.model))} {are} sealed for another patient than the study's."


def _name(model: type[Model]) -> str:
    return model._meta.model_name or ""


def _called(count: int, name: str) -> str:
    return counted(count, *CALLED[name])


def _of_another_patient() -> Iterator[QuerySet[Any]]:
    """Rows whose study is not of the patient for whom their object was sealed: whoever sees it sees hers."""
    yield Instance.objects.exclude(pack__patient=F("study__patient"))
    yield Rendition.objects.exclude(stack__patient=F("series__study__patient"))
    yield Sidecar.objects.exclude(stack__patient=F("series__study__patient"))
    yield Report.objects.exclude(study=None).exclude(body__patient=F("study__patient"))


def _reaches_beyond(rendition: Rendition) -> bool:
    return any(offset + length > rendition.stack.length for _, _, offset, length, *_ in rendition.pictures)


def _objects(verdict: Verdict, quick: bool, say: Say) -> None:
    found: dict[str, list[UUID]] = {}
    wrong_key, seen = False, Counter[str]()
    for sealed in _in_batches(SealedObject.objects.select_related("patient")):
        seen["erased" if not sealed.wrapped_key else sealed.kind] += 1
        flaw = scrub.examine(sealed, quick=quick)
        if flaw:
            found.setdefault(flaw, []).append(sealed.pk)
        wrong_key = wrong_key or (flaw == "key" and not scrub.opens_something())
        if flaw and not wrong_key:
            damage.note(sealed, flaw)
        elif not flaw and not quick and sealed.wrapped_key:
            damage.note_whole(sealed)
        if seen.total() % 1000 == 0:
            say(f"{seen.total()} objects looked at")
    verdict.looked_at |= seen
    verdict.looked_at["unnamed files"] = _unnamed()
    if wrong_key:
        verdict.problems.append("MASTER_KEY does not open what is stored here: set the right one, and try again.")
    for flaw, ids in found.items():
        names = ", ".join(str(one) for one in ids[:MOST_NAMED]) + (" …" if len(ids) > MOST_NAMED else "")
        are = counted(len(ids), "object is", "objects are")
        verdict.problems.append(f"{are} damaged, {FLAWS[flaw][len(ids) > 1]}: {names}.")


def _in_batches(rows: QuerySet[SealedObject]) -> Iterator[SealedObject]:
    last: UUID | None = None
    while batch := list((rows.filter(pk__gt=last) if last else rows).order_by("pk")[:BATCH]):
        yield from batch
        last = batch[-1].pk


def _unnamed() -> int:
    """Files of the store that no row names yet or any more; the sweep takes those that stay so."""
    return sum(1 for _ in tidying.orphans(objects.store().names()))
