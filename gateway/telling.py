"""Every minute the gateway tells the portal how it is, so that somebody sees it when it stops."""

from __future__ import annotations

import logging
import time
from typing import Final

import requests

from gateway.config import Config, Misconfigured
from gateway.forwarding import CONNECTING
from gateway.spool import DEAD, WAITING, Spool

logger = logging.getLogger("gateway.telling")

PATIENCE: Final = 30  # seconds
LONGEST_TROUBLE, LONGEST_NAME, MOST_MACHINES = 300, 64, 200


class Teller:
    """Tells each time `step` is called."""

    def __init__(self, config: Config, spool: Spool) -> None:
        self._config, self._spool = config, spool

    def step(self) -> int:
        """Tell once; 0, for there is nothing more to tell. What keeps it from telling is seen at the portal."""
        portal = self._config.portal
        try:
            got = requests.post(
                f"{portal.url.rstrip('/')}/api/v1/gateways/",
                json=self._state(),
                headers={"Authorization": f"Bearer {portal.key}"},
                timeout=(CONNECTING, PATIENCE),
                verify=str(portal.ca_file) if portal.ca_file else True,
                allow_redirects=False,
            )
            if got.status_code != 204:
                logger.warning("the portal does not hear how this gateway is (%s)", got.status_code)
        except (requests.RequestException, Misconfigured) as error:
            logger.warning("the portal cannot be told how this gateway is (%s)", type(error).__name__)
        return 0

    def _state(self) -> dict[str, object]:
        counts, oldest, now = self._spool.counts(), self._spool.oldest(), time.time()
        names = [one.ae_title for one in self._config.peers]
        heard = self._spool.heard
        return {
            "name": self._config.portal.name,
            "waiting": counts[WAITING],
            "oldest_seconds": int(oldest or 0),
            "dead": counts[DEAD],
            "trouble": self._spool.trouble()[:LONGEST_TROUBLE],
            "machines": [
                {"name": _plain(name), "seconds_ago": max(0, int(now - heard[name])) if name in heard else None}
                for name in list(dict.fromkeys([*names, *sorted(heard)]))[:MOST_MACHINES]
            ],
        }


def _plain(name: str) -> str:
    """A name that the portal takes, whatever a machine calls itself: a refusal would look like silence."""
    return "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME].strip() or "unnamed"
