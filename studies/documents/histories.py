"""Which reports of a study are versions of one document, and in which order they were written.

A study has as many documents as its facility wrote: the radiologist's report, a second one, the dose of the scanner.
Each has a history of its own, and none supersedes another. That is read off what was kept of each version, so that it
does not matter in which order they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studies.models import Report

Kind, Status = Report.Kind, Report.Status

ORDER = [Kind.REPORT, Kind.DOCUMENT, Kind.MEASUREMENTS, Kind.DOSE]


@dataclass(frozen=True)
class Document:
    """One document: its versions that may be read, newest first."""

    versions: Sequence[Report]

    @property
    def newest(self) -> Report:
        """The version that counts."""
        return self.versions[0]


def documents(reports: Iterable[Report], *, preliminary_too: bool = False) -> list[Document]:
    """The documents among a study's reports: the radiologist's first, of a kind the newest first.

    A preliminary version is left out, unless wanted; of a document that is preliminary altogether, nothing is left.
    """
    by_kind: dict[str, list[Report]] = defaultdict(list)
    for report in sorted(reports, key=lambda one: (one.received_at, one.version)):
        by_kind[report.kind].append(report)
    found = [
        Document(shown)
        for kind in ORDER
        for history in _histories(by_kind[kind])
        if (shown := [one for one in reversed(history) if preliminary_too or one.status != Status.PRELIMINARY])
    ]
    found.sort(key=lambda one: written(one.newest), reverse=True)
    return sorted(found, key=lambda one: ORDER.index(Kind(one.newest.kind)))


def written(report: Report) -> float:
    """When a version was written, as far as anybody knows, in seconds."""
    return (report.written_at or report.received_at).timestamp()


def _histories(reports: Sequence[Report]) -> list[list[Report]]:
    """Group the reports of one kind, in the order they came, into histories, oldest version first.

    What comes by the reports API is the study's report, version after version: its sender says so. What comes as a
    DICOM document belongs with the documents it names as its predecessors (PS3.3 §C.17.2), and with other versions
    of itself.
    """
    chains = _Chains()
    for report in reports:
        for uid in (report.sop_uid, *report.predecessors):
            chains.join(_name(report), uid)
    histories: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        histories[chains.root(_name(report))].append(report)
    return [_in_order(history) for history in histories.values()]


def _name(report: Report) -> str:
    """By what its history is known. Nothing with a name of its own is called ''."""
    was_sent_alone = report.original_id is not None or not report.sop_uid
    return "the study's report" if was_sent_alone and report.kind == Kind.REPORT else report.sop_uid


def _in_order(history: Sequence[Report]) -> list[Report]:
    """The versions as they were written; in the order they came as far as nothing else is known. An old version that
    comes late never stands above a newer one."""
    left, ordered = list(history), []
    while left:
        free = (one for one in left if not any(_is_before(other, one) for other in left))
        ordered.append(next(free, left[0]))  # where documents name each other in a circle, the order they came decides
        left.remove(ordered[-1])
    return ordered


def _is_before(one: Report, other: Report) -> bool:
    """Whether `one` is known to be written before `other`."""
    if one.sop_uid and one.sop_uid in other.predecessors:
        return True
    if other.sop_uid and other.sop_uid in one.predecessors:
        return False
    if one.sop_uid and one.sop_uid == other.sop_uid:
        return one.received_at < other.received_at
    return bool(one.written_at and other.written_at and one.written_at < other.written_at)


class _Chains:
    """Names that belong together, however long the chain between them."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (above := self._above.get(name, name)) != name:
            name = above
        return name

    def join(self, one: str, other: str) -> None:
        if other:
            self._above[self.root(other)] = self.root(one)
