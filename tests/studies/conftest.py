"""What tests of publishing and of stored bytes share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import Facility
from studies.store import objects
from studies.store.storage import STAGED_SUFFIX, SUFFIX

Files = Callable[[str], list[Path]]
SUFFIXES = {"staging": STAGED_SUFFIX, "objects": SUFFIX}


@pytest.fixture
def files(tmp_path: Path, settings: Settings) -> Files:
    """A store of the test's own, and a look at its files: "staging", those being written, and "objects"."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()

    def look(folder: str) -> list[Path]:
        return list((objects.store().root / "objects").glob(f"*/*{SUFFIXES[folder]}"))

    return look


@pytest.fixture
def lakeside() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def hilltop() -> Facility:
    return Facility.objects.create(name="Hilltop", slug="hilltop")
