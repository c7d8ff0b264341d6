"""Where a restore works: a folder beside the one it restores to, which takes its place when everything is in it.

`manage.py` calls `enter` before any setting is read, so that whatever a start makes in its data folder (secrets, texts)
is made in the staging folder too, and a restore that fails leaves nothing behind.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
from pathlib import Path
from secrets import token_hex
from typing import Final

TARGET: Final = "LIGHTBOX_RESTORE_TO"
REFUSED: Final = 2


def enter(default: Path) -> None:
    """Point DATA_DIR at a new staging folder; exit with a sentence when the one to restore to is not empty."""
    named = os.environ.get("DATA_DIR", "")
    if path := os.environ.get("DATA_DIR_FILE"):
        named = Path(path).read_text(encoding="utf-8").strip()
    target = Path(named or default).absolute()
    if target.exists() and any(target.iterdir()):
        print(
            f"CommandError: {target} is not empty, and nothing is ever restored over something."
            " Name an empty DATA_DIR, or move this one away.",
            file=sys.stderr,
        )
        raise SystemExit(REFUSED)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name}.restoring-{token_hex(4)}")
    staging.mkdir(mode=0o700)
    atexit.register(shutil.rmtree, staging, ignore_errors=True)
    os.environ.pop("DATA_DIR_FILE", None)
    os.environ["DATA_DIR"], os.environ[TARGET] = str(staging), str(target)


def target() -> Path | None:
    """Where the staging folder goes when it is whole."""
    named = os.environ.get(TARGET)
    return Path(named) if named else None
