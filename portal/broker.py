"""The embedded broker: messages are files in a folder of the site's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Kombu's own, but a message appears whole.

    Kombu creates the file under its final name and then writes: a worker that looks in between fetches an empty
    message, fails over it and loses it.
    """

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns():020}_{uuid4().hex}.{queue}.msg"
        draft = folder / f"{name}.draft"
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.rename(folder / name)


class Transport(filesystem.Transport):
    """Messages in files, for a site on one machine."""

    Channel = Channel
