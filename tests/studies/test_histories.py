"""Which versions belong together and which is the newest is read off the versions, in whatever order they came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import uuid4

import pytest

from studies.documents.histories import documents
from studies.models import Report

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
Kind, Status = Report.Kind, Report.Status


def version(sop_uid: str = "", *after: str, hour: int | None = None, **said: object) -> Report:
    """A report that says when it was written (hours past the morning), and after which."""
    written_at = None if hour is None else MORNING + timedelta(hours=hour)
    said = {"status": Status.FINAL, "kind": Kind.REPORT, "written_at": written_at, **said}
    return Report(sop_uid=sop_uid, predecessors=list(after), **said)


def came(*reports: Report) -> list[list[str]]:
    """The documents of reports that came in this order, by what names each version."""
    for number, report in enumerate(reports):
        report.received_at = MORNING + timedelta(days=1, minutes=number)
    return [[one.sop_uid or one.title for one in document.versions] for document in documents(reports)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_chain_of_documents_is_one_history_in_any_order(order: tuple[int, ...]) -> None:
    chain = [version("a", hour=1), version("b", "a"), version("c", "b")]
    assert came(*(chain[number] for number in order)) == [["c", "b", "a"]]


def test_an_old_version_that_comes_late_does_not_stand_above_the_newer() -> None:
    assert came(version("b", "x", hour=2), version("a", "x", hour=1)) == [["b", "a"]]


def test_what_two_documents_are_joined_by_a_third() -> None:
    assert came(version("a"), version("b"), version("c", "a", "b")) == [["c", "b", "a"]]


def test_documents_that_name_each_other_still_have_an_order() -> None:
    assert came(version("a", "b"), version("b", "a"), version("c", "c")) == [["c"], ["b", "a"]]


def test_what_is_sent_by_the_api_is_one_history() -> None:
    sent = version("a", original_id=uuid4(), title="SR")
    assert came(version(title="1"), sent, version(title="2"), version("b", "a"), version("c")) == [
        ["c"],
        ["b", "2", "a", "1"],
    ]


def test_kinds_are_never_mixed_and_the_radiologists_report_is_first() -> None:
    said = [version("dose", "report", kind=Kind.DOSE, hour=9), version("report", hour=1)]
    said += [version("sheet", kind=Kind.DOCUMENT, hour=8), version("sizes", kind=Kind.MEASUREMENTS)]
    assert came(*said) == [["report"], ["sheet"], ["sizes"], ["dose"]]


def test_a_preliminary_version_is_left_out_wherever_it_stands() -> None:
    draft, later = (version(uid, status=Status.PRELIMINARY) for uid in ("a", "d"))
    assert came(draft, version("b", "a"), version("c", "b"), later) == [["c", "b"]]
