"""Settings come from the environment: one reader, `NAME_FILE` beats `NAME`, a wrong value stops the start."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def env(name: str, default: str = "") -> str:
    """The value of a setting: the content of the file named by `NAME_FILE`, else `NAME`, else the default."""
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return os.environ.get(name, default).strip()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE names a file that cannot be read ({error.strerror}). Correct the path or its rights."
        ) from error


def env_flag(name: str, *, default: bool = False) -> bool:
    """A yes or no. Anything else is refused, for a misspelt "of" must not switch a protection off."""
    value = env(name).lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    if value:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")
    return default


def env_number(name: str, default: int, *, low: int = 0, high: int = 2**63 - 1) -> int:
    """A whole number between `low` and `high`, both included."""
    value = env(name, str(default))
    if not value.isdecimal() or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return int(value)


def own_secret(path: Path) -> str:
    """The 32 random bytes (base64) kept in `path`; the first start writes them for its owner's eyes only.

    Written aside and linked into place, so that of two processes that start at once neither reads half a
    secret; and the folders are synced, so that a power cut cannot take the key to what is already stored.
    """
    if not path.exists():
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, new_secret())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
            sync_folder(folder)
    return path.read_text(encoding="ascii").strip()


def new_secret() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def write_durably(path: Path, text: str) -> None:
    """Put a secret in the place of what is there, whole or not at all, so that it outlives a power cut."""
    _draft(path, text).rename(path)
    sync_folder(path.parent)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
