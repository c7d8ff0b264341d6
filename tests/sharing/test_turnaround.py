"""How long exams take: by the clock of the RIS and ours, half of them and nine in ten, by modality."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Membership
from sharing import turnaround
from sharing.models import Release
from sharing.turnaround import Moments, Span
from studies.models import Study
from studies.orders import exams
from studies.orders.exams import Said
from studies.orders.states import State
from studies.patients import Person
from tests.cast import Cast, a_study

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "p50", "p90"), [([], None, None), ([5], 5, 5), ([1, 2, 3, 4, 10], 3, 10), (list(range(1, 11)), 5, 9)]
)
def test_half_and_nine_in_ten(hours: list[int], p50: int | None, p90: int | None) -> None:
    span = Span.of(hour * HOUR for hour in reversed(hours))
    assert (span.count, span.p50, span.p90) == (len(hours), p50 and p50 * HOUR, p90 and p90 * HOUR)


def test_what_came_in_another_order_took_no_time() -> None:
    now = timezone.now()
    spans = Moments(ordered=now, images=now - HOUR, final=None, opened=now + HOUR).spans()
    assert spans == {"images": timedelta(), "whole": HOUR}


def an_exam(cast: Cast, number: int, *, ordered: int, final: int, opened: int, modality: str = "MR") -> Study:
    """Hours before and after its images, which came two days ago."""
    came = timezone.now() - timedelta(days=2)
    study = a_study(cast.patient, accession_number=f"T{number}", modalities=[modality], received_at=came)
    hers = Person(cast.patient.patient_id)
    for state, at in ((State.ORDERED, came - ordered * HOUR), (State.FINAL, came + final * HOUR)):
        exams.hear(cast.lakeside, hers, Said(f"T{number}", state, at))
    when = came + opened * HOUR
    Release.objects.create(study=study, available_at=came, report_at=when)
    return study


def test_each_step_of_each_modality(cast: Cast) -> None:
    an_exam(cast, 1, ordered=24, final=2, opened=3)
    an_exam(cast, 2, ordered=48, final=4, opened=4)
    an_exam(cast, 3, ordered=1, final=1, opened=9, modality="CR")
    long_ago = timezone.now() - timedelta(days=91)
    Study.objects.filter(pk=cast.study.pk).update(received_at=long_ago)
    found = turnaround.by_modality(cast.lakeside)
    assert list(found) == ["", "CR", "MR"]
    mr = found["MR"]
    assert (mr["images"].p50, mr["images"].p90) == (24 * HOUR, 48 * HOUR)
    assert (mr["final"].p50, mr["final"].p90) == (2 * HOUR, 4 * HOUR)
    assert (mr["open"].p50, mr["open"].p90) == (timedelta(), HOUR)
    assert found[""]["whole"].count == 3
    assert turnaround.by_modality(cast.hilltop) == {}


def test_an_administrator_reads_it_as_a_page_and_as_a_table(cast: Cast, client: Client) -> None:
    an_exam(cast, 1, ordered=24, final=2, opened=3)
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    client.force_login(cast.tom)
    page = client.get("/desk/reaching/").content.decode()
    assert "How long exams take" in page
    assert "24 h · 24 h" in page
    table = list(csv.DictReader(io.StringIO(client.get("/desk/turnaround/download/").content.decode())))
    mr = {row["step"]: (row["exams"], row["p50_hours"]) for row in table if row["modality"] == "MR"}
    assert mr == {"images": ("1", "24.0"), "final": ("1", "2.0"), "open": ("1", "1.0"), "whole": ("1", "27.0")}
