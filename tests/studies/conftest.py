"""What tests of stored bytes share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from studies import objects

Files = Callable[[str], list[Path]]


@pytest.fixture
def files(tmp_path: Path, settings: Settings) -> Files:
    """A store of the test's own, and a look at its "staging" and "objects"."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()

    def look(folder: str) -> list[Path]:
        return [path for path in (objects.store().root / folder).rglob("*") if path.is_file()]

    return look
