"""The repository itself: free to use, text but for its pictures, at home nowhere, and without leftovers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import allauth
import pytest
from django import forms

ROOT = Path(__file__).resolve().parent.parent
PICTURES = "docs/pictures/"
MOST_PICTURES, MOST_BYTES = 7, 200 * 1024  # four of the README, three of the tour
# Packages that render templates of these names, which ours take the place of.
PACKAGES = [Path(str(package.__file__)).parent / "templates" for package in (allauth, forms)]


@pytest.fixture(scope="module")
def tracked() -> dict[str, bytes]:
    """Every file under version control, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in paths if path.is_file()}


def test_everybody_may_use_it() -> None:
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_nothing_is_binary_but_a_few_small_pictures(tracked: dict[str, bytes]) -> None:
    binary = {name: len(content) for name, content in tracked.items() if b"\0" in content}
    assert [name for name, size in binary.items() if not name.startswith(PICTURES) or size > MOST_BYTES] == []
    assert len([name for name in tracked if name.startswith(PICTURES)]) <= MOST_PICTURES


def test_no_file_says_on_which_machine_it_was_written(tracked: dict[str, bytes]) -> None:
    places = [f"{place}/".encode() for place in (ROOT, Path.home()) if len(place.parts) > 1]
    assert [name for name, content in tracked.items() if any(place in content for place in places)] == []


def test_every_picture_is_shown_and_every_picture_shown_is_there(tracked: dict[str, bytes]) -> None:
    shown = re.findall(r"\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    tour = re.findall(r"\]\((pictures/[^)]+)\)", (ROOT / "docs/tour.md").read_text(encoding="utf-8"))
    assert {*shown, *(f"docs/{name}" for name in tour)} == {name for name in tracked if name.startswith(PICTURES)}


def test_every_template_is_used(tracked: dict[str, bytes]) -> None:
    ours = [name.removeprefix("templates/") for name in tracked if name.startswith("templates/")]
    said = b"\n".join(
        content for name, content in tracked.items() if name.endswith((".py", ".html", ".txt")) and "tests/" not in name
    ).decode()
    unused = [
        name
        for name in ours
        if f'"{re.sub(r"_(subject|message).txt$", "", name)}"' not in said
        and not any((package / name).is_file() for package in PACKAGES)
    ]
    assert unused == []
