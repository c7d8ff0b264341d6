"""Everything at once: who listens, who publishes, who watches the folder, who keeps promises."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import Final

from gateway.config import Config
from gateway.forwarding import Forwarder, wait_after
from gateway.listening import Listener
from gateway.receiving import Receiver, keep_promises
from gateway.spool import opened
from gateway.watching import Watch

logger = logging.getLogger("gateway")

GLANCE: Final = 0.5  # seconds between two looks at what waits
PROMISES: Final = 2.0
FORGETTING: Final = 3600.0
Step = Callable[[], int]
"""One piece of work; 0 when there was none."""


def run(config: Config, enough: threading.Event, ready: Callable[[int], None] = lambda port: None) -> None:
    """Work until `enough`. `ready` hears of the port that machines send to.

    Raises InUse, OSError and Misconfigured before anything was taken.
    """
    with opened(config.spool) as spool:
        spool.own()
        receiver = Receiver(config, spool)
        if config.peers:
            receiver.start()
            ready(receiver.port)
        listener = Listener(config.hl7, spool) if config.hl7 else None
        if listener:
            listener.start()
        steps: list[tuple[Step, float]] = [
            (Forwarder(config.portal, spool).step, GLANCE),
            (Forwarder(config.portal, spool).step_of_reports, GLANCE),
            (lambda: keep_promises(config, spool, wait_after), PROMISES),
            (spool.forget, FORGETTING),
        ]
        if config.folder:
            steps.append((Watch(config.folder.path, spool).step, GLANCE))
        workers = [threading.Thread(target=_again, args=(*step, enough)) for step in steps]
        for worker in workers:
            worker.start()
        logger.info("the gateway works")
        enough.wait()
        receiver.stop()
        if listener:
            listener.stop()
        for worker in workers:
            worker.join()


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
