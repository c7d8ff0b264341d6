"""Settings come from the environment, and a wrong value stops the start with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.embedded.site import _make_private
from portal.environment import env, env_flag, env_number, own_secret

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_file_beats_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("THING", "from the variable")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
    assert env("THING") == "from the file"


def test_a_missing_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match="THING_FILE names a file that cannot be read"):
        env("THING")


def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "of")
    with pytest.raises(ImproperlyConfigured, match="THING must be yes or no"):
        env_flag("THING")


def test_a_number_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "-1")
    with pytest.raises(ImproperlyConfigured, match="from 0 to 10"):
        env_number("THING", 3, high=10)


def test_a_secret_is_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secrets" / "key"
    first = own_secret(path)
    assert own_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in path.parents[:2]] == [0o700, 0o700]
    assert [one.name for one in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PUBLIC_URL", "images.example.org", "PUBLIC_URL must look like"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL must look like"),
        ("OBJECT_STORE_URL", "s3://bucket", "S3 is not supported yet"),
        ("BROKER_URL", "kafka://x", "BROKER_URL must begin with"),
        ("CACHE_URL", "memcached://x", "CACHE_URL must look like"),
        ("SECRET_KEY", "short", "at least 32 characters"),
        ("SECRET_KEY", "changeme" * 8, "placeholder"),
        ("SECRET_KEY_FALLBACKS", "short", "SECRET_KEY_FALLBACKS must have"),
        ("MASTER_KEY", "short", "MASTER_KEY"),
        ("MASTER_KEY", "A" * 43 + "=", "placeholder"),
        ("MASTER_KEY_FALLBACKS", "short", "MASTER_KEY_FALLBACKS"),
        ("DEBUG", "perhaps", "DEBUG must be yes or no"),
    ],
)
def test_a_wrong_value_stops_the_start(name: str, value: str, sentence: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        name: value,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    code = "import django; django.setup(); from django.core.checks import run_checks; run_checks()"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert sentence in run.stderr


def test_a_database_that_everybody_could_read_is_closed(tmp_path: Path) -> None:
    database = tmp_path / "lightbox.sqlite3"
    journal = tmp_path / "lightbox.sqlite3-wal"
    for path in (database, journal):
        path.touch(0o644)
        path.chmod(0o644)
    _make_private(database)
    assert [path.stat().st_mode & 0o777 for path in (database, journal)] == [0o600, 0o600]
