"""Everything at once: who listens, who publishes, who watches the folder, who keeps promises."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from gateway.config import Config
from gateway.forwarding import Forwarder, wait_after
from gateway.listening import Listener
from gateway.pulling import Puller
from gateway.receiving import Receiver, keep_promises
from gateway.spool import Spool, opened
from gateway.telling import Teller
from gateway.watching import Watch

logger = logging.getLogger("gateway")

GLANCE: Final = 0.5  # seconds between two looks at what waits
PROMISES: Final = 2.0
FORGETTING: Final = 3600.0
TELLING: Final = 60.0
Step = Callable[[], int]
"""One piece of work; 0 when there was none."""


def run(config: Config, enough: threading.Event, ready: Callable[[int], None] = lambda port: None) -> None:
    """Work until `enough`. `ready` hears of the port that machines send to.

    Raises InUse, OSError and Misconfigured before anything was taken.
    """
    with opened(config.spool) as spool:
        spool.own()
        with ExitStack() as listening:
            port = _listen(config, spool, listening)
            workers = [threading.Thread(target=_again, args=(*step, enough)) for step in _steps(config, spool)]
            for worker in workers:
                worker.start()
            logger.info("the gateway works")
            ready(port)
            enough.wait()
        for worker in workers:
            worker.join()


def _listen(config: Config, spool: Spool, listening: ExitStack) -> int:
    """Take what machines send, until `listening` is closed; the port of DICOM, or 0."""
    if config.hl7:
        listener = Listener(config.hl7, spool, pull=config.pull)
        listener.start()
        listening.callback(listener.stop)
    if not config.peers:
        return 0
    receiver = Receiver(config, spool)
    receiver.start()
    listening.callback(receiver.stop)
    return receiver.port


def _steps(config: Config, spool: Spool) -> Iterator[tuple[Step, float]]:
    """What is done again and again, and the seconds between two looks. Each has a thread: none waits for another."""
    yield Forwarder(config.portal, spool).step, GLANCE
    yield Forwarder(config.portal, spool).step_of_reports, GLANCE
    yield Forwarder(config.portal, spool).step_of_messages, GLANCE
    yield lambda: keep_promises(config, spool, wait_after), PROMISES
    if config.pull:
        yield Puller(config, spool, wait_after).step, GLANCE
    yield spool.forget, FORGETTING
    yield Teller(config, spool).step, TELLING
    if config.folder:
        yield Watch(config.folder.path, spool).step, GLANCE


def _again(step: Step, pause: float, enough: threading.Event) -> None:
    """One piece of work after the other. What goes wrong is said, and tried again: nobody would see a thread end."""
    while not enough.is_set():
        try:
            if step():
                continue
        except Exception as error:
            # Kind and place, without the message: that may quote what a file contained.
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s at %s:%s; the gateway goes on", type(error).__name__, place.name, place.lineno)
        enough.wait(pause)
