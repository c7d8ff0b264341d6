"""Docs that lie fail."""

from __future__ import annotations

import re
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

ROOT = Path(__file__).resolve().parent.parent
TOUR = re.search(
    r"^## A tour in five minutes\n(.*?)^## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
)


def test_every_setting_is_documented() -> None:
    source = (ROOT / "portal/settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'env(?:_flag|_number)?\(\s*"(\w+)"', source))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert names, "the pattern finds no setting any more"
    assert {name for name in names if f"`{name}`" not in readme} == set()


def test_no_requirement_names_an_address() -> None:
    for path in (*ROOT.glob("requirements*"), *ROOT.glob("gateway/requirements*")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path.name
        assert not re.search(r"^--?(extra-)?index-url|^--find-links|^--trusted-host", text, re.M), path.name


def test_every_pin_has_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-fuzz.txt", "gateway/requirements.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        pins = re.findall(r"^[\w.-]+==\S+ \\\n    --hash=", text, re.M)
        assert len(pins) == len(re.findall(r"^[\w.-]+==", text, re.M)), name


def test_every_command_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {path.stem for path in (ROOT / "portal/management/commands").glob("[a-z]*.py")}
    assert {name for name in commands if f"`manage.py {name}" not in readme} == set()


def test_the_map_names_only_rooms_that_are_there() -> None:
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+(?:\.py|/))", architecture))
    homes = [ROOT, *(ROOT / app for app in ("accounts", "studies", "sharing", "portal", "gateway"))]
    assert len(named) > 60
    assert {name for name in named if not any((home / name).exists() for home in homes)} == set()


def test_what_is_said_to_be_shown_by_a_test_is() -> None:
    told = (ROOT / "docs/security.md").read_text(encoding="utf-8").partition("## Which test shows it")[2]
    named = set(re.findall(r"`(test_\w+)`", told))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    assert len(named) > 30
    assert named - there == set()


def test_the_tour_presses_what_the_pages_show() -> None:
    assert TOUR is not None
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.html"))
    named = set(re.findall(r"(?<![*\w])\*([^*]+)\*(?!\*)", TOUR[1]))
    assert len(named) > 10
    assert {name for name in named if name not in pages} == set()


def test_the_tours_scan_is_of_the_tours_patient() -> None:
    assert TOUR is not None
    (name,) = re.findall(r'find\("([\w.-]+)"', TOUR[1])
    scan = dcmread(str(get_testdata_file(name, download=False)), stop_before_pixels=True)
    assert f"MRN `{scan.PatientID}`" in TOUR[1]
    assert f'"study_uid": "{scan.StudyInstanceUID}"' in TOUR[1]
