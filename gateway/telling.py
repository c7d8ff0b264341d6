"""Every minute the gateway tells the portal how it is, so that somebody sees it when it stops."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import requests

from gateway import checking
from gateway.config import Config, Misconfigured
from gateway.forwarding import CONNECTING
from gateway.spool import DEAD, WAITING, Spool
from gateway.waiting import AboutMessage, AboutPull, AboutReport, AnyAbout

logger = logging.getLogger("gateway.telling")

PATIENCE: Final = 30  # seconds
TAKEN: Final = frozenset({200, 204})
LONGEST_TROUBLE, LONGEST_NAME, MOST_MACHINES = 300, 64, 200
LONGEST_WORDS, MOST_LETTERS = 600, 100


class Teller:
    """Tells each time `step` is called."""

    def __init__(self, config: Config, spool: Spool) -> None:
        self._config, self._spool = config, spool
        self._findings: list[dict[str, object]] = []

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
            if got.status_code in TAKEN:
                self._findings = []  # they were told
            if got.status_code == 200:
                self._do(got.json())
            elif got.status_code != 204:
                logger.warning("the portal does not hear how this gateway is (%s)", got.status_code)
        except (requests.RequestException, Misconfigured, ValueError) as error:
            logger.warning("the portal cannot be told how this gateway is (%s)", type(error).__name__)
        return 0

    def _do(self, wanted: Any) -> None:
        """What the facility's staff want. Only what is theirs to want can be asked for: letters, and a test."""
        if not isinstance(wanted, dict):
            return
        letters = wanted.get("retry")
        for letter in letters if isinstance(letters, list) else []:
            self._spool.retry(str(letter) or "none")
        if wanted.get("test") is True:
            found = checking.findings(self._config, is_running=True)
            self._findings = [{"is_well": one.is_well, "words": one.words[:LONGEST_WORDS]} for one in found]
            self.step()

    def _letters(self, now: float) -> list[dict[str, object]]:
        return [
            {
                "id": one.id,
                "what": _plain(what(one.about), LONGEST_TROUBLE),
                "reason": one.reason[:LONGEST_WORDS] or "The portal does not take it.",
                "seconds_ago": max(0, int(now - one.received_at)),
            }
            for one in self._spool.letters()[:MOST_LETTERS]
        ]

    def _state(self) -> dict[str, object]:
        counts, oldest, now = self._spool.counts(), self._spool.oldest(), time.time()
        names = [one.ae_title for one in self._config.peers]
        heard = self._spool.heard
        return {
            "letters": self._letters(now),
            "findings": self._findings,
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


def what(about: AnyAbout) -> str:
    """What a letter is of, by UIDs and numbers, for whoever must find it in her PACS or RIS."""
    if isinstance(about, AboutMessage):
        return f"message {about.control_id} ({about.path})"
    if isinstance(about, AboutPull):
        return f"images of accession number {about.accession_number}"
    study = f"study {about.study_uid}" if about.study_uid else ""
    if isinstance(about, AboutReport):
        return f"report, {study or f'accession number {about.accession_number}'}, message {about.control_id}"
    return f"{study or 'study unknown'}, instance {about.sop_uid or 'unknown'}"


def _plain(name: str, longest: int = LONGEST_NAME) -> str:
    """A name that the portal takes, whatever a machine calls itself: a refusal would look like silence."""
    return "".join(letter for letter in name if letter.isprintable())[:longest].strip() or "unnamed"
