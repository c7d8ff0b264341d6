"""Docs that lie fail."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_setting_is_documented() -> None:
    source = (ROOT / "portal/settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'env(?:_flag|_number)?\(\s*"(\w+)"', source))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert names, "the pattern finds no setting any more"
    assert {name for name in names if f"`{name}`" not in readme} == set()


def test_no_requirement_names_an_address() -> None:
    for path in ROOT.glob("requirements*"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path.name
        assert not re.search(r"^--?(extra-)?index-url|^--find-links|^--trusted-host", text, re.M), path.name


def test_every_pin_has_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        pins = re.findall(r"^[\w.-]+==\S+ \\\n    --hash=", text, re.M)
        assert len(pins) == len(re.findall(r"^[\w.-]+==", text, re.M)), name
