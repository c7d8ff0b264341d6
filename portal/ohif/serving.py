"""What OHIF's files say of themselves to browsers."""

from __future__ import annotations

from typing import Final
from wsgiref.headers import Headers

from portal.ohif.installed import PLACE

# A worker obeys the policy of its own script's answer: the decoders make functions of what their compilers wrote.
POLICY: Final = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; connect-src 'self'"


def headers(headers: Headers, path: str, url: str) -> None:
    """Called by WhiteNoise for each static file."""
    if url.startswith(PLACE):
        headers["Content-Security-Policy"] = POLICY
