"""Facilities that publish all the time and never give up: what got no answer is sent again."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event, Lock, Thread

from tests.factories import ct_file, related, uid

PATIENCE = 30.0  # seconds for one answer
PAUSE = 0.1  # before it is tried again
STUDY = 24  # instances of a study, then the next one begins
TAKEN = (200, 202)
COME_AGAIN = (429, 503, 507)

Mark = tuple[str, str]
"""SOP Instance UID and sha256."""


@dataclass
class Book:
    """What all senders know together."""

    acknowledged: dict[Mark, str] = field(default_factory=dict)
    """The study of each instance that the site said it has."""
    open_requests: int = 0
    no_answer: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def begin(self) -> None:
        """A request is on its way."""
        with self.lock:
            self.open_requests += 1

    def end(self, status: int) -> None:
        """It was answered, or (0) never will be."""
        with self.lock:
            self.open_requests -= 1
            self.answers[status] += 1
            self.no_answer += status == 0

    def wrong_answers(self) -> dict[int, int]:
        """Answers that a sender should never see, and how often they came."""
        return {status: count for status, count in self.answers.items() if status not in (0, *TAKEN, *COME_AGAIN)}


class Sender(Thread):
    """One modality of a facility: study after study, a few instances a request."""

    def __init__(self, number: int, port: int, key: str, book: Book) -> None:
        super().__init__(name=f"sender {number}", daemon=True)
        self.enough = Event()
        self._number = number
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._book = book
        self._chance = random.Random(number)
        self._study = self._instance = 0

    def run(self) -> None:
        """Publish until it is enough; the last request is brought to its end."""
        while not self.enough.is_set():
            study_uid, files = self._next()
            request = related(files.values())
            while self._send(*request) not in TAKEN:
                time.sleep(PAUSE)
            with self._book.lock:
                for sop_uid, file in files.items():
                    self._book.acknowledged[sop_uid, hashlib.sha256(file).hexdigest()] = study_uid

    def _next(self) -> tuple[str, dict[str, bytes]]:
        """The study that is being sent, and the next one to five of its instances."""
        if self._instance >= STUDY:
            self._study, self._instance = self._study + 1, 0
        study = self._number * 100_000 + self._study
        count = min(self._chance.randint(1, 5), STUDY - self._instance)
        numbers = range(self._instance + 1, self._instance + count + 1)
        self._instance += count
        said = {"study": study, "PatientID": f"T{study}", "size": self._chance.choice([16, 64, 256])}
        return uid(study), {uid(study, 1, number): ct_file(number, **said) for number in numbers}

    def _send(self, content_type: str, body: bytes) -> int:
        """The status of the answer; 0 when none came."""
        status = 0
        self._book.begin()
        try:
            status = self._ask(content_type, body)
        except (OSError, HTTPException):
            pass
        finally:
            self._book.end(status)
        return status

    def _ask(self, content_type: str, body: bytes) -> int:
        line = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            line.request("POST", "/dicom-web/studies", body, {**self._headers, "Content-Type": content_type})
            answer = line.getresponse()
            answer.read()
            return int(answer.status)
        finally:
            line.close()
