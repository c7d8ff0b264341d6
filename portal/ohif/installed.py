"""Where OHIF lies when it is there: in the Python environment, as other dependencies do."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from portal.ohif.package import VERSION

ROOT: Final = Path(sys.prefix) / "share" / "lightbox" / "web"
"""What lies here is served at the root of the site: see WHITENOISE_ROOT."""
PLACE: Final = "/ohif/"
URL: Final = f"{PLACE}{VERSION}/"
FOLDER: Final = ROOT / "ohif" / VERSION


class Entry(NamedTuple):
    """The addresses that the shell begins with."""

    script: str
    style: str


@cache
def entry() -> Entry | None:
    """What to begin with; None where OHIF is not installed."""
    try:
        said = json.loads((FOLDER / "lightbox.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Entry(URL + said["script"], URL + said["style"])
