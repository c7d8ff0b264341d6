"""Pulling from an archive that answers C-FIND and C-MOVE: counted, waited for, given up in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt

from gateway.config import Config, Hl7, Misconfigured, Peer, Pull, load
from gateway.listening import Listener
from gateway.pulling import AWAY, FIND, MISSING, MOVE, NOTHING, REFUSED, SEVERAL, Puller, wanted
from gateway.receiving import Receiver
from gateway.spool import AboutPull, Spool
from tests import factories
from tests.gateway.conftest import unanswered
from tests.gateway.test_listening import send
from tests.gateway.test_orders import message

EXAM = AboutPull("ACC1", "P1", "", "RIS|HOSPITAL", 0)


@dataclass
class Archive:
    """A PACS: what it has, what it says that it has, what it holds back, and what it was asked."""

    port: int = 0
    target: int = 0
    studies: dict[str, int] = field(default_factory=lambda: {factories.uid(1): 3})
    sends: int = 3
    knows_us: bool = True
    asked: list[Dataset] = field(default_factory=list)
    moves: int = 0

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(event.identifier)
        for study_uid, count in self.studies.items():
            found = Dataset()
            found.StudyInstanceUID, found.NumberOfStudyRelatedInstances = study_uid, count
            yield 0xFF00, found

    def move(self, event: evt.Event) -> Iterator[Any]:
        self.moves += 1
        if not self.knows_us or event.move_destination != "LIGHTBOX":
            yield None, None
            return
        yield "127.0.0.1", self.target, {"contexts": [build_context(factories.CT)], "ae_title": "LIGHTBOX"}
        yield self.sends
        for number in range(1, self.sends + 1):
            yield 0xFF00, dcmread(BytesIO(factories.ct_file(number)))


@pytest.fixture
def archive(spool: Spool, config: Config) -> Iterator[Archive]:
    receiver = Receiver(config, spool)
    receiver.start()
    it = Archive(target=receiver.port)
    entity = AE(ae_title="PACS")
    for sop_class in (FIND, MOVE):
        entity.add_supported_context(sop_class)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, it.find), (evt.EVT_C_MOVE, it.move)]
    )
    assert server
    it.port = server.server_address[1]
    yield it
    server.shutdown()
    receiver.stop()


@pytest.fixture
def puller(archive: Archive, config: Config, spool: Spool) -> Puller:
    return a_puller(archive, config, spool)


def a_puller(archive: Archive, config: Config, spool: Spool, **said: Any) -> Puller:
    pull = Pull("PACS", **{"idle_seconds": 0, "most_tries": 3, **said})
    peers = (Peer("PACS", "127.0.0.1", archive.port),)
    return Puller(replace(config, peers=peers, pull=pull), spool, lambda attempts: 0.0)


def test_an_exam_is_found_moved_and_counted(archive: Archive, puller: Puller, spool: Spool) -> None:
    assert spool.want(EXAM, 0)
    assert puller.step() == 1
    assert (spool.count_of(factories.uid(1)), archive.moves) == (3, 1)
    (asked,) = archive.asked
    assert (asked.AccessionNumber, asked.PatientID, asked.QueryRetrieveLevel) == ("ACC1", "P1", "STUDY")
    said = spool.due_message()
    assert said
    assert said.about.path == f"publications/{factories.uid(1)}"
    assert b"".join(spool.read(said)) == b'{"expected_instances": 3}'
    assert puller.step() == 0


def test_what_the_archive_sent_by_itself_is_not_moved(archive: Archive, puller: Puller, spool: Spool) -> None:
    spool.want(EXAM, 0)
    assert puller.step() == 1
    spool.want(replace(EXAM, accession_number="ACC2"), 0)
    assert puller.step() == 1
    assert archive.moves == 1


def test_late_images_are_waited_for_and_asked_for_again(archive: Archive, puller: Puller, spool: Spool) -> None:
    archive.sends = 2
    spool.want(EXAM, 0)
    assert puller.step() == 0
    archive.sends = 3
    assert puller.step() == 1
    assert (spool.count_of(factories.uid(1)), archive.moves) == (3, 2)


def test_what_stays_incomplete_is_a_dead_letter_that_staff_try_again(
    archive: Archive, puller: Puller, spool: Spool
) -> None:
    archive.sends = 2
    spool.want(EXAM, 0)
    assert [puller.step() for _ in range(4)] == [0, 0, 1, 0]
    (letter,) = spool.letters()
    assert (letter.reason, spool.counts()["dead"]) == (MISSING, 1)
    archive.sends = 3
    assert spool.retry(letter.id) == 1
    assert puller.step() == 1
    assert spool.letters() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"studies": {}}, NOTHING),
        ({"studies": {"1.2": 1, "1.3": 1}}, SEVERAL),
        ({"knows_us": False}, REFUSED),
    ],
)
def test_why_nothing_comes_is_said(
    archive: Archive, config: Config, spool: Spool, change: dict[str, Any], reason: str
) -> None:
    vars(archive).update(change)
    spool.want(EXAM, 0)
    assert a_puller(archive, config, spool, most_tries=1).step() == 1
    assert [one.reason for one in spool.letters()] == [reason]


@unanswered
def test_an_archive_that_is_away_is_waited_for_without_end(config: Config, spool: Spool) -> None:
    puller = a_puller(Archive(port=1), config, spool, most_tries=1)
    spool.want(EXAM, 0)
    assert [puller.step() for _ in range(3)] == [0, 0, 0]
    assert spool.letters() == []
    assert spool._rows("SELECT reason FROM pulls") == [(AWAY,)]


def test_an_exam_is_wanted_once(spool: Spool) -> None:
    assert spool.want(EXAM, 0)
    assert not spool.want(replace(EXAM, study_uid="1.2"), 0)


def test_a_message_of_an_exam_that_is_done_makes_its_images_wanted(spool: Spool) -> None:
    listener = Listener(Hl7(address="127.0.0.1", port=0), spool, pull=Pull("PACS", idle_seconds=0))
    listener.start()
    try:
        assert send(listener, message(state="S"), message(state="CM").replace("MSG-1", "MSG-2")) == ["AA", "AA"]
    finally:
        listener.stop()
    pull = spool.due_pull()
    assert pull
    assert (pull.about.accession_number, pull.about.patient_id) == ("ACC-1", "MRN-7")


@pytest.mark.parametrize(("state", "is_wanted"), [("ordered", False), ("cancelled", False), ("final", True)])
def test_states_that_have_images(state: str, *, is_wanted: bool) -> None:
    post = {"state": state, "accession_number": "A", "patient_id": "P"}
    assert (wanted(post, "RIS|") is not None) == is_wanted
    assert wanted({"patient_id": "P"}, "RIS|") is None


BASE = '[portal]\nurl = "https://x.example"\nkey_file = "k"\n[spool]\nfolder = "s"\n[[peers]]\nae_title = "PACS"\n'
WHERE = 'host = "10.0.0.5"\nport = 104\n'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (f'{WHERE}[hl7]\n[pull]\npeer = "OTHER"\n', "one of"),
        ('[hl7]\n[pull]\npeer = "PACS"\n', "with host and port"),
        (f'{WHERE}[pull]\npeer = "PACS"\n', "needs"),
        (f'{WHERE}[hl7]\npatient = ""\n[pull]\npeer = "PACS"\n', "needs"),
        (f'{WHERE}[hl7]\n[pull]\npeer = "PACS"\nmost_tries = 0\n', "1 or more"),
    ],
)
def test_a_pull_that_cannot_work_is_refused(tmp_path: Path, more: str, words: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(BASE + more)
    with pytest.raises(Misconfigured, match=words):
        load(path)
