"""Folder in: for what speaks neither DICOM nor HL7. Files that are put there are published, and then removed.

Put a file there under another name first and rename it when it is whole, or let it rest: one that still grows waits.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.receiving import about_file
from gateway.spool import NoRoom, Spool

logger = logging.getLogger("gateway.folder")

REST: Final = 3.0  # seconds without a change, after which a file is whole
LARGEST: Final = 2 * 10**9
ASIDE: Final = "not-published"
MAGIC: Final = b"DICM"


class Watch:
    """Looks at a folder each time `step` is called."""

    def __init__(self, folder: Path, spool: Spool, *, rest: float = REST) -> None:
        self._folder, self._spool, self._rest = folder, spool, rest

    def step(self) -> int:
        """Take what is whole; how many files that were. Raises nothing over what lies there."""
        taken = 0
        for path in self._whole():
            try:
                taken += self._take(path)
            except NoRoom:
                logger.error("files stay in the folder: less room is left than must be")
                break
            except OSError as error:
                logger.error("a file stays in the folder: it cannot be read (%s)", type(error).__name__)
        return taken

    def _whole(self) -> Iterator[Path]:
        """Plain files below the folder, in order, that have not changed for a while."""
        before = time.time() - self._rest
        for place, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if name != ASIDE and not name.startswith("."))
            for path in (Path(place) / name for name in sorted(names) if not name.startswith(".")):
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime <= before:
                    yield path

    def _take(self, path: Path) -> int:
        if path.stat().st_size > LARGEST:
            return self._put_aside(path, "it is larger than 2 GB")
        file = path.read_bytes()
        about = about_file(file, "folder")
        if file[128:132] != MAGIC or not about.sop_uid:
            return self._put_aside(path, "it is no DICOM file (PS3.10)")
        self._spool.take(about, file)
        path.unlink()
        return 1

    def _put_aside(self, path: Path, why: str) -> int:
        aside = self._folder / ASIDE
        aside.mkdir(exist_ok=True)
        target, number = aside / path.name, 1
        while target.exists():
            target, number = aside / f"{path.stem}-{number}{path.suffix}", number + 1
        path.rename(target)
        logger.warning("a file was put aside in %s: %s", ASIDE, why)
        return 0
