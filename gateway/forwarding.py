"""To the portal: what waits goes out by STOW-RS (PS3.18 §10.5), study by study, until every file has its verdict.

What the portal has not acknowledged stays. What it will never take becomes a dead letter with the reason in words; one
bad file takes no other with it.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import requests

from gateway.config import Misconfigured, Portal
from gateway.spool import Spool
from gateway.waiting import About, AboutMessage, AboutReport, Waiting
from studies.store.sealing import Tampered

logger = logging.getLogger("gateway.forwarding")

MOST_FILES, MOST_BYTES = 25, 64 * 10**6  # of one request
IDLE: Final = 3.0  # seconds after which a study is thought to be complete for now
CONNECTING, ANSWERING = 10, 300  # seconds
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0  # seconds between tries
PASSING: Final = frozenset({408, 425, 429})
AWAY: Final = frozenset({429, 502, 503, 504})
REFUSED: Final = frozenset({401, 403})
TAKEN: Final = frozenset({200, 202})
HELD: Final = 202
SAID_OF_A_REPORT: Final = ("status", "study_uid", "accession_number", "patient_id")
PASSED_ON: Final = frozenset({200, 201, 202, 204})
OUT_OF_RESOURCES: Final = 0xA700
# PS3.18 table I.2-2, in words.
REASONS: Final = {
    0x0110: "The portal could not process it.",
    0x0122: "The portal does not take this kind of object.",
    0x0124: "The portal does not take it from this facility.",
    0xA700: "The portal has no room for it now.",
    0xA900: "It does not fit what the portal has of this study or patient.",
    0xA901: "It belongs to another study than it was sent to.",
    0xC000: "The portal cannot read it: it is cut off, or no DICOM.",
    0xC122: "The portal does not take this transfer syntax.",
}


@dataclass(frozen=True)
class Answer:
    """What the portal says: of each instance, by SOP Instance UID, None for taken, else the code of the reason."""

    status: int
    verdicts: Mapping[str, int | None] = field(default_factory=dict)
    words: str = ""
    again_after: float | None = None


def wait_after(attempts: int) -> float:
    """Seconds until the next try: twice as long each time, and never the same for two gateways."""
    longest: float = min(FIRST_WAIT * 2.0 ** min(attempts, 20), LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Forwarder:
    """Publishes what waits; call `step` again and again."""

    def __init__(
        self,
        portal: Portal,
        spool: Spool,
        *,
        session: requests.Session | None = None,
        wait: Callable[[int], float] = wait_after,
        idle: float = IDLE,
    ) -> None:
        self._portal, self._spool, self._wait, self._idle = portal, spool, wait, idle
        self._session = session or requests.Session()
        if portal.ca_file:
            self._session.verify = str(portal.ca_file)
        self._failures, self._quiet_until = 0, 0.0

    def step(self) -> int:
        """Publish one batch; of how many files something is known now: of none when nothing gets through."""
        batch = [] if self._is_quiet else self._spool.due(MOST_FILES, MOST_BYTES, self._idle)
        return self._publish(batch) if batch else 0

    def step_of_reports(self) -> int:
        """Publish one report; 1 when something is known of it now."""
        one = None if self._is_quiet else self._spool.due_report()
        return self._pass_on(one, lambda: self._send_report(one)) if one else 0

    def step_of_messages(self) -> int:
        """Pass on one message; 1 when something is known of it now."""
        one = None if self._is_quiet else self._spool.due_message()
        return self._pass_on(one, lambda: self._send_message(one)) if one else 0

    @property
    def _is_quiet(self) -> bool:
        return time.time() < self._quiet_until

    def _pass_on(self, one: Waiting[Any], send: Callable[[], requests.Response]) -> int:
        try:
            got = send()
        except (requests.RequestException, Misconfigured) as error:
            self._away([one], f"The portal cannot be reached ({type(error).__name__}).", None)
            return 0
        except (OSError, Tampered):
            self._bury(one, "It was damaged while it waited here. Send it again.")
            return 1
        if got.status_code in PASSED_ON:
            self._failures = 0
            self._spool.published([one])
        elif got.status_code in REFUSED:
            self._away([one], "The portal refuses the key of this facility.", None)
            return 0
        elif got.status_code >= 500 or got.status_code in PASSING:
            self._come_again([one], got.status_code, _again_after(got))
            return 0
        else:
            self._bury(one, _words(got) or f"The portal refuses it ({got.status_code}).")
        return 1

    def _send_report(self, one: Waiting[AboutReport]) -> requests.Response:
        content, said = b"".join(self._spool.read(one)), one.about
        form = asdict(said)
        named = {name: form[name] for name in SAID_OF_A_REPORT if form[name]}
        body: dict[str, Any] = (
            {"data": named, "files": {"file": ("report.pdf", content, "application/pdf")}}
            if said.is_pdf
            else {"json": {**named, "text": content.decode()}}
        )
        return self._post("reports", **body)

    def _send_message(self, one: Waiting[AboutMessage]) -> requests.Response:
        return self._post(one.about.path, data=b"".join(self._spool.read(one)), content_type="application/json")

    def _post(self, path: str, *, content_type: str = "", **body: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._portal.key}", "Accept": "application/json"}
        return self._session.post(
            f"{self._portal.url.rstrip('/')}/api/v1/{path}/",
            headers=headers | ({"Content-Type": content_type} if content_type else {}),
            timeout=(CONNECTING, ANSWERING),
            allow_redirects=False,
            **body,
        )

    def _publish(self, batch: Sequence[Waiting[About]]) -> int:
        try:
            answer = self._send(batch)
        except (requests.RequestException, Misconfigured) as error:
            self._away(batch, f"The portal cannot be reached ({type(error).__name__}).", None)
            return 0
        except (OSError, Tampered) as error:
            return self._unreadable(batch, error)
        rest = [one for one in batch if not self._settle(one, answer)]
        return len(batch) - len(rest) + (self._rest(rest, answer, len(batch)) if rest else 0)

    def _settle(self, one: Waiting[Any], answer: Answer) -> bool:
        """Whether the answer has a verdict on this file, by which it is dealt with."""
        if one.about.sop_uid not in answer.verdicts:
            return False
        code = answer.verdicts[one.about.sop_uid]
        if code is None:
            self._failures = 0
            self._spool.published([one], answer.words if answer.status == HELD else "")
        elif code == OUT_OF_RESOURCES:
            self._later([one], REASONS[code], answer.again_after)
        else:
            self._bury(one, f"{REASONS.get(code, 'The portal does not take it.')} {answer.words}".strip())
        return True

    def _rest(self, files: Sequence[Waiting[About]], answer: Answer, sent: int) -> int:
        """What to do with files of which the portal, asked for so many, has said nothing; of how many it is known."""
        if answer.status in REFUSED:
            self._away(files, "The portal refuses the key of this facility.", None)
        elif answer.status >= 500 or answer.status in PASSING:
            self._come_again(files, answer.status, answer.again_after)
        elif sent > 1:  # one of them may be the reason: each goes alone
            return sum(self._publish([one]) for one in files)
        elif answer.status in TAKEN:
            self._later(files, "The portal said nothing of it.", answer.again_after)
        else:
            self._bury(files[0], answer.words or f"The portal refuses it ({answer.status}).")
            return 1
        return 0

    def _bury(self, one: Waiting[Any], reason: str) -> None:
        logger.error("the portal does not take a file; it is kept as a dead letter")
        self._failures = 0
        self._spool.refused(one, reason)

    def _come_again(self, files: Sequence[Waiting[Any]], status: int, seconds: float | None) -> None:
        """It asks for patience: all wait where it is the portal that is in trouble, else what it stumbled over."""
        put_off = self._away if status in AWAY else self._later
        put_off(files, f"The portal asks to come again ({status}).", seconds)

    def _away(self, files: Sequence[Waiting[Any]], reason: str, seconds: float | None) -> None:
        """Nothing gets through: all of it waits, and goes out in its order afterwards."""
        pause = max(seconds or 0.0, self._wait(self._failures))
        self._failures += 1
        self._quiet_until = time.time() + pause
        logger.warning("nothing gets through, for %d s nothing is tried: %s", pause, reason)
        self._spool.postpone(files, 0.0, reason)

    def _later(self, files: Sequence[Waiting[Any]], reason: str, seconds: float | None) -> None:
        pause = max(seconds or 0.0, self._wait(max(one.attempts for one in files)))
        logger.warning("%d files wait for %d s: %s", len(files), pause, reason)
        self._spool.postpone(files, pause, reason)

    def _unreadable(self, batch: Sequence[Waiting[About]], error: Exception) -> int:
        if len(batch) > 1:
            return sum(self._publish([one]) for one in batch)
        logger.error("a file that waits cannot be read any more: %s", type(error).__name__)
        self._bury(batch[0], "It was damaged while it waited here. Send it again.")
        return 1

    def _send(self, batch: Sequence[Waiting[About]]) -> Answer:
        boundary = secrets.token_hex(16)
        headers = {
            "Authorization": f"Bearer {self._portal.key}",
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        got = self._session.post(
            f"{self._portal.url.rstrip('/')}/dicom-web/studies",
            data=self._body(batch, boundary),
            headers=headers,
            timeout=(CONNECTING, ANSWERING),
            allow_redirects=False,
        )
        return Answer(got.status_code, _verdicts(got), _words(got), _again_after(got))

    def _body(self, batch: Sequence[Waiting[About]], boundary: str) -> Iterator[bytes]:
        for one in batch:
            yield f"--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {one.length}\r\n\r\n".encode()
            yield from self._spool.read(one)
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()


def _verdicts(got: requests.Response) -> dict[str, int | None]:
    """From a Store Instances Response (PS3.18 §I.2); nothing from what is none."""
    try:
        said = got.json()
        taken: dict[str, int | None] = dict.fromkeys(_values(said, "00081199", "00081155"))
        failed = zip(_values(said, "00081198", "00081155"), _values(said, "00081198", "00081197"), strict=True)
        return taken | {uid: int(code) for uid, code in failed}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}


def _values(said: Any, sequence: str, element: str) -> list[Any]:
    return [item[element]["Value"][0] for item in said.get(sequence, {}).get("Value", [])]


def _words(got: requests.Response) -> str:
    """What the portal says in words: in a Warning header (RFC 7234 §5.5), or as the message of a refusal."""
    _code, _agent, words = got.headers.get("Warning", "").partition('"')
    if words:
        return words.rstrip('"')
    try:
        return str(got.json().get("message", ""))
    except (ValueError, AttributeError):
        return ""


def _again_after(got: requests.Response) -> float | None:
    said = got.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else None
