"""What an HL7 message says of exams and patients, in the words of the portal's API."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.config import Hl7, Misconfigured, load
from gateway.forwarding import Forwarder
from gateway.messages import NotUnderstood, read
from gateway.orders import Post, moment, posts
from gateway.spool import AboutMessage, Spool
from tests.gateway.conftest import KEY, Says, ScriptedPortal

NOW = datetime(2026, 1, 12, 12, tzinfo=UTC)
PERSON = {"patient_id": "MRN-7", "name": "ZEBRAFISH^MARIA^ANNA", "birth_date": "1980-05-17", "sex": "F"}


def message(
    kind: str = "ORM^O01",
    *,
    state: str = "S",
    control: str = "SC",
    pid: str = "PID|1||MRN-7^^^HOSPITAL||ZEBRAFISH^MARIA^ANNA||19800517|F",
    obr: str = "OBR|1||ACC-1^RIS|MR^MR KNEE|||20260112{blank}{state}|||||||||||20260114093000+0100",
    more: str = "",
    written: str = "20260112101500+0100",
) -> str:
    order = obr.replace("{blank}", "|" * 18).replace("{state}", state)
    lines = [
        f"MSH|^~\\&|RIS|HOSPITAL|LIGHTBOX||{written}||{kind}|MSG-1|P|2.5.1||||||UNICODE UTF-8",
        pid,
        *([f"ORC|{control}|1"] if control else []),
        *([order] if order else []),
        *([more] if more else []),
    ]
    return "\r".join(lines) + "\r"


def said(text: str, **config: Any) -> list[Post]:
    return posts(read(text.encode(), "utf-8"), Hl7(**config), NOW)


def exam(text: str, **config: Any) -> Any:
    (post,) = said(text, **config)
    assert post.path == "exams"
    return post.body


def test_an_order_names_its_patient_its_exam_and_when_it_is_to_be() -> None:
    assert exam(message()) == {
        **PERSON,
        "accession_number": "ACC-1",
        "state": "scheduled",
        "said_at": "2026-01-12T10:15:00+01:00",
        "study_uid": "",
        "description": "MR KNEE",
        "modality": "",
        "scheduled_for": "2026-01-14T09:30:00+01:00",
    }


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("O", "ordered"),
        ("S", "scheduled"),
        ("SC", "scheduled"),
        ("I", "in_progress"),
        ("CM", "completed"),
        ("D", "dictated"),
        ("P", "preliminary"),
        ("F", "final"),
        ("RE", "revised"),
        ("A", "addended"),
        ("N", "non_reportable"),
        ("x", "cancelled"),
        ("CA", "cancelled"),
    ],
)
def test_states(code: str, state: str) -> None:
    assert exam(message(state=code))["state"] == state


@pytest.mark.parametrize(("control", "state"), [("NW", "ordered"), ("CA", "cancelled"), ("DC", "cancelled")])
def test_an_order_without_a_state_is_what_it_asks_for(control: str, state: str) -> None:
    assert exam(message(state="", control=control))["state"] == state


def test_a_facility_may_mean_something_else_by_a_state() -> None:
    assert exam(message(state="C"), states={"C": "completed"})["state"] == "completed"


def test_a_result_moves_its_exam_and_one_that_names_none_moves_nothing() -> None:
    assert exam(message("ORU^R01", state="F"))["state"] == "final"
    assert said(message("ORU^R01", state="F", obr="OBR|1|||MR^MR KNEE{blank}{state}")) == []
    assert said(message("ORU^R01", state="F"), patient="") == []


def test_without_a_time_in_it_a_message_was_written_now() -> None:
    assert exam(message(written=""))["said_at"] == NOW.isoformat()


def test_of_several_numbers_the_one_called_mr_is_the_patients() -> None:
    pid = "PID|1||SSN9^^^GOV^SS~MRN-7^^^HOSPITAL^MR||ZEBRAFISH^MARIA^ANNA||19800517|F"
    assert exam(message(pid=pid))["patient_id"] == "MRN-7"


@pytest.mark.parametrize("born", ["", "1980", "19801399", "unknown"])
def test_what_is_no_birth_date_is_none(born: str) -> None:
    assert exam(message(pid=f"PID|1||MRN-7||ZEBRAFISH^MARIA||{born}|U"))["birth_date"] is None
    assert exam(message(pid=f"PID|1||MRN-7||ZEBRAFISH^MARIA||{born}|U"))["sex"] == ""


@pytest.mark.parametrize("kind", ["ADT^A04", "ADT^A08", "ADT^A28", "ADT^A31"])
def test_a_correction_of_a_patient(kind: str) -> None:
    assert said(message(kind, obr="", control="")) == [Post("patients", PERSON)]


@pytest.mark.parametrize(
    ("kind", "pid", "more"),
    [
        ("ADT^A40", "PID|1||MRN-7||ZEBRAFISH^MARIA^ANNA||19800517|F", "MRG|OLD-7^^^HOSPITAL"),
        ("ADT^A18", "PID|1||MRN-7||ZEBRAFISH^MARIA^ANNA||19800517|F", "MRG|OLD-7"),
        ("ADT^A18", "PID|1||MRN-7|OLD-7|ZEBRAFISH^MARIA^ANNA||19800517|F", ""),
    ],
)
def test_a_merge_says_which_number_stays(kind: str, pid: str, more: str) -> None:
    merge = {"survivor": {"patient_id": "MRN-7"}, "merged": {"patient_id": "OLD-7"}}
    assert said(message(kind, pid=pid, obr="", control="", more=more)) == [
        Post("merges", merge),
        Post("patients", PERSON),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (message(pid="PID|1"), "The patient is not named: PID-3.1 is empty."),
        (message(obr="OBR|1|||MR{blank}{state}"), "The exam is not named: OBR-3.1 is empty."),
        (message(state="??"), "Nobody knows the state in OBR-25 or ORC-5: say under [hl7.states]"),
        (message(state="", control=""), "Nobody knows the state"),
        (message("ADT^A40", obr="", control=""), "The number that goes is not named: MRG-1 is empty."),
    ],
)
def test_what_is_missing_is_said(text: str, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words.replace("[", r"\[").replace("??", "")):
        said(text)


def test_orders_need_the_number_that_images_carry() -> None:
    with pytest.raises(NotUnderstood, match="patient is empty"):
        said(message(), patient="")


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("20260112101500+0100", "2026-01-12T10:15:00+01:00"),
        ("202601121015-0530", "2026-01-12T10:15:00-05:30"),
        ("20260112101500.123+0000", "2026-01-12T10:15:00+00:00"),
    ],
)
def test_times(text: str, read_as: str) -> None:
    found = moment(text)
    assert found
    assert found.isoformat() == read_as


@given(some.text(max_size=30))
def test_no_time_breaks_the_reader(text: str) -> None:
    found = moment(text)
    assert found is None or found.tzinfo is not None


@given(some.lists(some.sampled_from(["PID|1||A", "OBR|1||X", "ORC|NW", "MRG|B", "ZDS|1.2^", "PID|", "|"]), max_size=6))
def test_no_message_breaks_the_reader(lines: list[str]) -> None:
    for kind in ("ORM^O01", "ADT^A40", "ORU^R01"):
        head = f"MSH|^~\\&|RIS|H|||20260112||{kind}|1|P|2.5"
        with suppress(NotUnderstood):
            said("\r".join([head, *lines]))


# --- to the portal


def take(spool: Spool, number: int = 1) -> None:
    spool.take_message(AboutMessage("exams", "RIS|HOSPITAL", f"MSG-{number}"), b'{"number": %d}' % number)


@pytest.fixture
def forwarder(config: Any, spool: Spool) -> Forwarder:
    return Forwarder(config.portal, spool, wait=lambda attempts: 0.0)


def test_a_message_is_passed_on(forwarder: Forwarder, spool: Spool, portal: ScriptedPortal) -> None:
    take(spool)
    assert forwarder.step_of_messages() == 1
    assert portal.messages == [("/api/v1/exams/", {"number": 1})]
    assert portal.keys == [f"Bearer {KEY}"]
    assert forwarder.step_of_messages() == 0
    assert spool.counts() == {"waiting": 0, "published": 1, "dead": 0}


def test_one_that_the_portal_refuses_is_a_dead_letter_and_holds_up_no_other(
    forwarder: Forwarder, spool: Spool, portal: ScriptedPortal
) -> None:
    take(spool, 1)
    take(spool, 2)
    portal.script = [Says(409, words="This accession number is known for an exam of another patient.")]
    assert forwarder.step_of_messages() == 1
    assert forwarder.step_of_messages() == 1
    (letter,) = spool.letters()
    assert letter.reason == "This accession number is known for an exam of another patient."
    assert spool.counts()["published"] == 1


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_one_that_the_portal_cannot_take_now_waits(
    forwarder: Forwarder, spool: Spool, portal: ScriptedPortal, status: int
) -> None:
    take(spool)
    portal.script = [Says(status)]
    assert forwarder.step_of_messages() == 0
    assert spool.counts()["waiting"] == 1
    assert forwarder.step_of_messages() == 1


def test_a_state_that_nobody_has_is_refused_in_the_configuration(tmp_path: Any) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[portal]\nurl = "https://x.example"\nkey_file = "k"\n[spool]\nfolder = "s"\n[hl7.states]\nC = "done"\n'
    )
    with pytest.raises(Misconfigured, match="cannot be 'done'"):
        load(path)
