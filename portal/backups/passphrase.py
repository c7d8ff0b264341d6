"""The passphrase of a backup: from a file, the environment or the keyboard, never from the command line."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from portal.backups.errors import BackupRefused
from portal.environment import env


def read(path: Path | None, *, twice: bool) -> str:
    """The passphrase in this file, else `BACKUP_PASSPHRASE` (`_FILE`), else asked for at the terminal."""
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BackupRefused(
                f"The file of the passphrase cannot be read ({error.strerror}).", "Correct the path or its rights."
            ) from error
    if said := env("BACKUP_PASSPHRASE"):
        return said
    if not sys.stdin.isatty():
        raise BackupRefused(
            "No passphrase was given.", "Name a file with --passphrase-file, or set BACKUP_PASSPHRASE_FILE."
        )
    said = getpass("Passphrase of the backup: ")
    if twice and getpass("Once more: ") != said:
        raise BackupRefused("The two passphrases differ.", "Try again.")
    return said
