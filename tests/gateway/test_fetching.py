"""Fetching what a patient lends: what is asked, shown first, and said when it does not work."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway import __main__ as command
from gateway import fetching
from gateway.coercing import Changes, Named
from gateway.config import Archive, Misconfigured, Portal, load
from gateway.fetching import Lent, NotFetched, Source
from tests import factories

ARCHIVE = Archive("PACS", "127.0.0.1", 1)
LENT = Lent("1.2.3", "CT chest", "20260131", "ZEBRAFISH^MARIA", "THEIRS", "19800517", 12)

FETCHES = """
[portal]
url = "https://images.example.org"

[archive]
ae_title = "PACS"
host = "10.0.0.5"
port = 104
practice = "Elm Street Practice"
"""


class Scripted(requests.Session):
    """A portal that says one thing."""

    def __init__(self, status: int, said: Any) -> None:
        super().__init__()
        self._status, self._said, self.asked = status, said, list[Any]()

    def request(self, method: Any, url: Any, *_args: Any, **more: Any) -> requests.Response:
        self.asked.append((method.upper(), url, more.get("json")))
        answer = requests.Response()
        answer.status_code = self._status
        answer.raw = io.BytesIO(self._said if isinstance(self._said, bytes) else json.dumps(self._said).encode())
        answer.headers["Location"] = "https://elsewhere.example.org/"
        return answer


def test_a_practice_that_only_fetches_needs_no_key_and_no_spool(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(FETCHES)
    config = load(path)
    assert config.archive == Archive("PACS", "10.0.0.5", 104, practice="Elm Street Practice")
    assert not config.takes
    assert command.main(["run", str(path)]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("port = 104", ""), "[archive] must say port"),
        (('"PACS"', '"A PACS OF SEVENTEEN"'), "is no AE title"),
        (("[archive]", "[folder]\npath = '/tmp'\n[archive]"), "no section [spool]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(FETCHES.replace(*change))
    with pytest.raises(Misconfigured, match=words.replace("[", r"\[")):
        load(path)


def test_the_code_is_exchanged_for_an_address() -> None:
    portal = Scripted(201, {"base": "https://images.example.org/c/abc/dicom-web"})
    source = fetching.opened(Portal("https://images.example.org"), {"code": "K7QM"}, portal)
    assert source.base.endswith("/c/abc/dicom-web")
    assert portal.asked == [("POST", "https://images.example.org/api/v1/pulls/", {"code": "K7QM"})]


@pytest.mark.parametrize(
    "said",
    [
        {"base": "https://images.example.org.evil.example/c/abc/dicom-web"},
        {"base": "http://images.example.org/c/abc/dicom-web"},
        {"base": "https://images.example.org/elsewhere"},
        {"base": 3},
        {},
        [],
        b"<html>",
    ],
)
def test_an_address_that_is_not_the_portals_own_is_none(said: Any) -> None:
    with pytest.raises(NotFetched, match=r"not its own|nobody understands"):
        fetching.opened(Portal("https://images.example.org"), {}, Scripted(201, said))


def test_nobody_is_led_elsewhere() -> None:
    portal = Scripted(302, b"")
    with pytest.raises(NotFetched, match="The portal answers 302"):
        source(portal).studies()
    assert len(portal.asked) == 1


def source(session: requests.Session) -> Source:
    return Source(Portal("https://images.example.org"), "https://images.example.org/c/x/dicom-web", session)


def row(series: str, sop: str, study: str = "1.2.3") -> dict[str, Any]:
    uids = {"0020000D": study, "0020000E": series, "00080018": sop}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([row("1.2/../../../api", "1.2")], "no UID"),
        ([row("1.2", "1.2?a=b")], "no UID"),
        ({"a": "b"}, "nobody understands"),
        (["a"], "nobody understands"),
        (b"{", "nobody understands"),
        ([row("1.2", "1.3")], "again and again"),
        ([{"0020000E": "1.2"}], "no UID"),
    ],
)
def test_what_no_portal_says_ends_in_words(said: Any, words: str) -> None:
    with pytest.raises(NotFetched, match=words):
        list(source(Scripted(200, said)).instances("1.2.3"))


def test_a_study_that_is_named_by_no_uid_is_none() -> None:
    with pytest.raises(NotFetched, match="no UID"):
        source(Scripted(200, [row("1.2", "1.2", study="../secret")])).studies()


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_SAID", 1000)
    with pytest.raises(NotFetched, match="more than any file"):
        source(Scripted(200, b" " * 1001)).studies()
    monkeypatch.setattr(fetching, "MOST_OF_A_FILE", 1000)
    with pytest.raises(NotFetched, match="more than any file"):
        source(Scripted(200, b" " * 1001)).content("studies/1.2.3")


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (
            404,
            {"code": "link_unknown", "message": "This does not open.", "hint": "Ask again."},
            "does not open. Ask again.",
        ),
        (502, b"<html>", "The portal answers 502."),
        (422, [], "The portal answers 422."),
    ],
)
def test_a_refusal_is_said_in_the_portals_words(status: int, said: Any, words: str) -> None:
    with pytest.raises(NotFetched, match=words):
        fetching.opened(Portal("https://images.example.org"), {}, Scripted(status, said))


def test_a_portal_that_is_away_is_said() -> None:
    with pytest.raises(NotFetched, match="cannot be reached"):
        fetching.opened(Portal("http://127.0.0.1:1"), {})


def test_what_comes_and_what_changes_is_shown_before_anything_is_stored() -> None:
    shown = command.preview([LENT], Changes("4711", "ELM"))
    for words in ("CT chest, 20260131, 12 instances", "ZEBRAFISH^MARIA, born 19800517, patient ID THEIRS"):
        assert words in shown
    for words in ("PatientID 4711", "IssuerOfPatientID ELM", "AccessionNumber (none)"):
        assert words in shown
    assert command.preview([], Changes("4711")) == "Nothing is lent there."


@pytest.mark.parametrize("answer", ["n", "", "no"])
def test_nothing_is_stored_unless_somebody_says_it_is_the_same_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(FETCHES)
    monkeypatch.setattr(fetching, "opened", lambda *_args: Source(Portal(""), "http://127.0.0.1:1/c/x/dicom-web"))
    monkeypatch.setattr(Source, "studies", lambda _source: [LENT])
    monkeypatch.setattr("builtins.input", lambda _words: answer)
    asked = ["fetch", str(path), "--code", "K7QM", "--passcode", "1", "--patient-id", "4711"]
    assert command.main(asked) == 1
    assert "Nothing was fetched." in capsys.readouterr().out


def test_without_a_patient_of_its_own_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(FETCHES)
    assert command.main(["fetch", str(path), "--code", "K7QM"]) == 2
    assert "--patient-id" in capsys.readouterr().err


def test_files_that_cannot_be_stored_are_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[Any]()
    monkeypatch.setattr(Source, "instances", lambda _source, _uid: iter(["one", "two"]))
    monkeypatch.setattr(Source, "content", lambda _source, _instance: b"no DICOM")
    monkeypatch.setattr(
        Source, "tell", lambda _source, uid, outcome: told.append((uid, outcome.stored, outcome.failed))
    )
    outcome = fetching.fetch(Source(Portal(""), ""), LENT, ARCHIVE, Changes("4711"))
    assert (outcome.stored, outcome.failed) == (0, 2)
    assert outcome.reasons == {"A file cannot be read (InvalidDicomError)."}
    assert told == [("1.2.3", 0, 2)]


class Broken(Source):
    """A portal that breaks off after the first file, or whenever it is asked for one."""

    def __init__(self, told: list[Any]) -> None:
        super().__init__(Portal(""), "")
        self._told = told

    def instances(self, study_uid: str) -> Iterator[str]:
        yield "one"
        raise NotFetched("The portal cannot be reached (ConnectionError).")

    def content(self, instance: str) -> bytes:
        return factories.ct_file(1, StudyInstanceUID="1.2.3", PatientID="THEIRS", PatientBirthDate="")

    def tell(self, study_uid: str, outcome: fetching.Outcome) -> None:
        self._told.append((outcome.stored, outcome.failed))


def test_what_breaks_off_midway_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[Any]()
    monkeypatch.setattr(fetching.Sender, "store", lambda *_args: None)
    outcome = fetching.fetch(Broken(told), LENT, ARCHIVE, Changes("4711"))
    assert (outcome.stored, outcome.failed) == (1, 11), "twelve were shown"
    assert told == [(1, 11)]
    assert outcome.reasons == {"The portal cannot be reached (ConnectionError)."}


@pytest.mark.parametrize("error", [ValueError("a UID"), AttributeError("no context"), RuntimeError("no association")])
def test_what_the_archives_library_says_no_to_is_one_file_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    class Association:
        is_established = True

        def send_c_store(self, _path: Path) -> Any:
            raise error

        def release(self) -> None:
            """Gone."""

    monkeypatch.setattr(fetching.Sender, "_to", lambda *_args: Association())
    with fetching.Sender(ARCHIVE) as sender, pytest.raises(NotFetched, match="cannot be sent"):
        sender.store(tmp_path, Named("1.2", "1.2", "1.2"))
