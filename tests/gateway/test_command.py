"""The one command: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from gateway import checking, running
from gateway.__main__ import main
from gateway.config import Config, Folder, Peer
from gateway.receiving import about_file
from gateway.spool import Spool, opened
from tests import factories
from tests.gateway.conftest import ScriptedPortal, unanswered

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path, config: Config) -> Path:
    """The configuration as a file."""
    said = tmp_path / "gateway.toml"
    said.write_text(
        f'[portal]\nurl = "{config.portal.url}"\nkey_file = "{config.portal.key_file}"\n'
        f'[spool]\nfolder = "{config.spool.folder}"\nleast_free_mb = 0\n'
        f'[dicom]\naddress = "127.0.0.1"\nport = 0\n[[peers]]\nae_title = "PACS"\n'
    )
    return said


def a_letter(config: Config) -> str:
    """The id of a dead letter."""
    file = factories.ct_file(1)
    with opened(config.spool) as spool:
        spool.take(about_file(file, "PACS"), file)
        spool.refused(spool.due(1, 10**9, 0)[0], "Another patient is known by this study.")
        return spool.letters()[0].id


def test_status_says_what_waits_and_why(path: Path, config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    a_letter(config)
    assert main(["status", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 waiting", "0 published and still kept", "1 dead letters"]
    main(["retry", str(path)])
    with opened(config.spool) as spool:
        spool.postpone(spool.due(1, 10**9, 0), 60, "The portal cannot be reached.")
    capsys.readouterr()
    assert main(["status", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 waiting, the oldest for ")
    assert lines[-1] == "Last: The portal cannot be reached."


def test_letters_say_which_and_why_and_may_be_retried(
    path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = a_letter(config)
    assert main(["letters", str(path)]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in (letter, factories.uid(1), "from PACS", "Another patient is known"))
    assert main(["retry", str(path), "unknown"]) == 1
    assert main(["retry", str(path), letter]) == 0
    assert main(["letters", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["There is no such dead letter.", "1 wait again."]


def test_a_wrong_file_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_second_gateway_is_turned_away(
    path: Path, config: Config, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(path)]) == 1
    assert "Another gateway works in" in capsys.readouterr().err


def test_a_port_that_is_taken_ends_it_whole(
    path: Path, portal: ScriptedPortal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who listens for HL7 already does not keep it alive."""
    taken = portal.url.rpartition(":")[2]
    said = path.read_text().replace("port = 0", f"port = {taken}")
    path.write_text(f'{said}\n[hl7]\naddress = "127.0.0.1"\nport = 0\n')
    before = threading.active_count()
    assert main(["run", str(path)]) == 1
    assert "The gateway cannot work" in capsys.readouterr().err
    assert threading.active_count() == before


def test_nothing_of_django_is_needed() -> None:
    """It stands alone: neither the portal's framework nor a database server's client is loaded."""
    foreign = ["django", "psycopg", "celery", "accounts", "portal", "sharing"]
    code = f"import sys, gateway.__main__; print([name for name in {foreign} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_what_comes_in_goes_out(config: Config, portal: ScriptedPortal, tmp_path: Path) -> None:
    """A machine stores, a file is put into the folder, and both are published without anybody's help."""
    folder = tmp_path / "in"
    folder.mkdir()
    enough, ports = threading.Event(), []
    started = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    work = threading.Thread(target=running.run, args=(replace(config, folder=Folder(folder)), enough, ready))
    work.start()
    try:
        assert started.wait(10)
        (folder / ".hidden").write_bytes(factories.ct_file(2, study=2))
        (folder / ".hidden").rename(folder / "2.dcm")
        machine = AE(ae_title="PACS")
        picture = dcmread(BytesIO(factories.ct_file(1)))
        machine.add_requested_context(picture.SOPClassUID, picture.file_meta.TransferSyntaxUID)
        line = machine.associate("127.0.0.1", ports[0], ae_title="LIGHTBOX")
        assert line.send_c_store(picture).Status == 0x0000
        line.release()
        assert portal.wait_for(2, 30)
    finally:
        enough.set()
        work.join()
    studies = {about_file(file, "").study_uid for files in portal.requests for file in files}
    assert studies == {factories.uid(1), factories.uid(2)}


# --- check


def said(config: Config) -> dict[str, bool]:
    return {one.words: one.is_well for one in checking.findings(config)}


def test_check_says_that_all_is_well(config: Config, portal: ScriptedPortal, path: Path) -> None:
    found = said(config)
    assert all(found.values()), found
    assert f"{portal.url} is ready." in found
    assert "The portal knows the key of this facility." in found
    assert main(["check", str(path)]) == 0


@unanswered
def test_check_says_what_is_wrong_and_what_to_do(
    config: Config, portal: ScriptedPortal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portal.knows_key = False
    key = config.portal.key_file
    assert not said(config)[f"The portal refuses the key in {key} (401). Issue a new one there."]
    portal.ready = 503
    assert not said(config)[f"{portal.url} answers 503: it is not ready, or no Lightbox."]
    away = replace(config, portal=replace(config.portal, url="http://127.0.0.1:1"))
    words = "http://127.0.0.1:1 does not answer. Is the address right, and may the gateway go out by HTTPS?"
    assert not said(away)[words]
    deaf = replace(config, peers=(Peer("PACS", "127.0.0.1", 1),))
    assert any(not well and "PACS does not answer C-ECHO" in words for words, well in said(deaf).items())
    full = replace(config, spool=replace(config.spool, least_free_mb=10**9))
    assert any(not well and "Make room" in words for words, well in said(full).items())


def test_check_finds_a_port_that_is_taken(config: Config, portal: ScriptedPortal) -> None:
    taken = int(portal.url.rpartition(":")[2])
    busy = replace(config, dicom=replace(config.dicom, port=taken))
    assert any(not well and f"Port {taken} cannot be had" in words for words, well in said(busy).items())
