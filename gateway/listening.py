"""HL7 in: messages over MLLP, by TLS where there is a certificate. Acknowledged when they are on disk, not before."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from datetime import datetime
from typing import Any, Final

from hl7.mllp import InvalidBlockError, start_hl7_server

from gateway import messages, orders, pulling, tls
from gateway.config import Hl7, Pull
from gateway.messages import ACCEPTED, FAILED, REJECTED, Message, NotUnderstood
from gateway.spool import NoRoom, Spool
from gateway.waiting import AboutMessage, AboutReport

logger = logging.getLogger("gateway.hl7")

LARGEST: Final = 64 * 2**20  # bytes of one message: a PDF of 48 MB
KINDS: Final = frozenset({orders.ORU, orders.ORM, orders.OMI}) | orders.CORRECTIONS | orders.MERGES


class Listener:
    """Listens from `start` to `stop`, in a thread of its own."""

    def __init__(self, said: Hl7, spool: Spool, pull: Pull | None = None) -> None:
        self._said, self._spool, self._pull = said, spool, pull
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hl7")
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to listen. Raises OSError where the port is taken, Misconfigured for a certificate that is none."""
        context = tls.listening("hl7", self._said)
        self._thread.start()
        beginning = start_hl7_server(
            self._converse, host=self._said.address, port=self._said.port, limit=LARGEST, ssl=context
        )
        try:
            self._server = asyncio.run_coroutine_threadsafe(beginning, self._loop).result()
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Let what is being taken be acknowledged, and listen no more."""
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._end()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        assert self._server is not None  # noqa: S101 - `stop` has looked
        self._server.close()
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _converse(self, reader: Any, writer: Any) -> None:
        """One message after the other, each with its answer, until the other side hangs up."""
        line = asyncio.current_task()
        assert line is not None  # noqa: S101 - a coroutine runs in one
        self._lines.add(line)
        try:
            if not self._may(writer.get_extra_info("peername")[0]):
                logger.warning("hung up: nobody may send from there")
                return
            while True:
                block = await reader.readblock()
                writer.writeblock(await asyncio.to_thread(self._take, block))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it hung up
        except (InvalidBlockError, ValueError):
            logger.warning("hung up: what came is no MLLP, or larger than a message may be")
        finally:
            self._lines.discard(line)
            writer.close()

    def _may(self, address: str) -> bool:
        return not self._said.hosts or any(address in tls.addresses(host) for host in self._said.hosts)

    def _take(self, block: bytes) -> bytes:
        """Keep what a message brings; the acknowledgement."""
        message: Message | None = None
        try:
            message = messages.read(block, self._said.charset)
            self._keep(message)
        except NotUnderstood as error:
            logger.warning("refused a message: %s", error)
            return messages.answer(message, REJECTED, str(error))
        except NoRoom:
            logger.error("refused a message: less room is left than must be")
            return messages.answer(message, FAILED, "There is no room now. Send it again later.")
        except OSError as error:
            logger.error("refused a message: the disk failed (%s)", type(error).__name__)
            return messages.answer(message, FAILED, "The disk failed. Send it again later.")
        return messages.answer(message, ACCEPTED)

    def _keep(self, message: Message) -> None:
        if message.kind not in KINDS:
            raise NotUnderstood(f"The gateway takes {', '.join(sorted(KINDS))}. Send it nothing else.")
        if not message.control_id:
            raise NotUnderstood("The message has no control ID in MSH-10.")
        report = messages.report_in(message, self._said) if message.kind == orders.ORU else None
        for post in orders.posts(message, self._said, datetime.now().astimezone()):
            about = AboutMessage(post.path, message.sender, message.control_id)
            self._spool.take_message(about, json.dumps(post.body).encode())
            if self._pull and (exam := pulling.wanted(post.body, message.sender)):
                self._spool.want(exam, self._pull.idle_seconds)  # by then the archive may have sent it by itself
        if report:
            self._keep_report(message, report)

    def _keep_report(self, message: Message, found: messages.Report) -> None:
        about = AboutReport(
            study_uid=found.study_uid,
            accession_number=found.accession_number,
            patient_id=found.patient_id,
            status=found.status,
            is_pdf=found.is_pdf,
            sender=message.sender,
            control_id=message.control_id,
        )
        self._spool.take_report(about, found.content)
