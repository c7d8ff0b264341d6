"""The page for PACS administrators names what programs get to see, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from accounts.errors import PortalError
from portal.crowding import MOST_OF_A_KEY
from studies import api, intake, report_api
from studies.receiving import arrivals, body, room
from studies.receiving.body import LEAST

PAGE = (Path(__file__).resolve().parents[2] / "docs/facility-api.md").read_text(encoding="utf-8")
LIMITS = [api.InstanceTooLarge, room.RequestTooLarge, room.TooManyInstances, room.TooMuch, room.Full]
REFUSALS = [*LIMITS, api.KeyNeeded, api.WrongKey, body.LengthRequired, body.Encoded, body.TooSlow, body.BrokenOff]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of its first cell."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def test_every_reason_is_explained() -> None:
    reasons = {
        arrivals.PROCESSING_FAILURE,
        arrivals.OUT_OF_RESOURCES,
        arrivals.DATA_SET_MISMATCH,
        arrivals.WRONG_STUDY,
        arrivals.CANNOT_UNDERSTAND,
        intake.COERCED,
    }
    assert {int(row[0], 16) for row in rows("code")} == reasons


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_status_of_every_refusal_is_explained(refusal: type[PortalError]) -> None:
    assert str(refusal.status) in {status for row in rows("status") for status in row[0].split(", ")}


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_is_named_as_programs_see_it(limit: type[PortalError]) -> None:
    assert f"{limit.status} `{limit.code}`" in PAGE


def test_the_limits_are_these() -> None:
    said = [row[1].partition(" (")[0] for row in rows("of")]
    in_gib = [settings.MAX_INSTANCE_BYTES, settings.MAX_REQUEST_BYTES, settings.MAX_FACILITY_DAY_BYTES]
    an_instance, a_request, a_day = (f"{size // 2**30} GiB" for size in in_gib)
    floor = f"{settings.FREE_SPACE_FLOOR // 2**30} GiB is left free"
    at_once = f"{MOST_OF_A_KEY} in each server process"
    assert said == [an_instance, a_request, f"{room.MOST_INSTANCES:,}", a_day, at_once, floor]
    assert LEAST == 1024 * body.GRACE  # "less than 1 KiB a second for a minute"


def test_every_field_of_a_receipt_is_explained() -> None:
    fields = report_api.ReceiptSerializer().fields.keys() | report_api.InstanceReceiptSerializer().fields.keys()
    assert {name for name in fields if f'"{name}"' not in PAGE and f"`{name}`" not in PAGE} == set()
