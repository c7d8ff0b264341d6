"""The one door: every study byte that reaches a person is admitted, written down and streamed here.

`admit` asks `sharing.access` and audits; the Pass it returns is bound to the study's access epoch, so that a
withdrawal or a revocation ends what is already running. `answer` and `stream` are the only ways out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from threading import Lock
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from accounts import audit
from accounts.audit import Action
from accounts.errors import Unavailable
from sharing import access, capabilities, grants, guests, releases
from sharing.access import Machine, Right, Viewer
from sharing.models import Capability
from studies.models import Study

ONE_LOOK = timedelta(minutes=15)
BLOCK = 2**20
ASK_AGAIN_BYTES = 4 * 2**20 - BLOCK  # so that never more than 4 MiB leave on one answer
ASK_AGAIN_SECONDS = 5.0
MOST_MADE = 6  # pictures that are made for one viewer when she asks, at a time
MOST_STREAMS = 24  # to one viewer from one process: each holds a thread for as long as its reader takes
SANDBOX_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
ACTIONS = {
    Right.SEE: Action.VIEWED,
    Right.REPORT: Action.REPORT_VIEWED,
    Right.DOWNLOAD: Action.DOWNLOADED,
}
_CAPABILITY: Final = "_lightbox_capability"

_running: Counter[str] = Counter()  # streams, by crowd: see sharing.viewers
_counting = Lock()


@dataclass(frozen=True)
class Pass:
    """Leave to carry one study's bytes to one viewer, as long as the epoch stands."""

    viewer: Viewer
    study: Study
    right: Right
    epoch: int


class LookEnded(Exception):
    """The right behind a running stream has ended: the connection is cut, never closed as if complete."""


def admit(viewer: Viewer, study_id: UUID, right: Right, way: str = "page") -> Pass:
    """Fetch, authorise and write down in one call; NotFound or NotAllowed otherwise.

    One audit event per viewer, study, way and 15 minutes; a look that cannot be written down is refused.
    """
    study = access.study_for(viewer, study_id, right)
    look = f"{viewer.key}|{study.pk}|{right}|{way}"
    if not audit.seen(look, ONE_LOOK):
        with transaction.atomic():
            if audit.once(look, ONE_LOOK):
                _write_down(viewer, study, right, way)
    return Pass(viewer, study, right, study.access_epoch)


def _write_down(viewer: Viewer, study: Study, right: Right, way: str) -> None:
    """The look as an event, and on the grant behind it. NotFound when the right ended since it was asked for."""
    behind = access.way_of(viewer, study, right)
    detail: dict[str, str] = {"relation": behind.relation}
    if behind.grant is not None:
        grants.note_opening(behind.grant)
        detail["grant"] = str(behind.grant.pk)
    audit.record(
        ACTIONS[right],
        actor=behind.actor,
        study_id=study.pk,
        facility_id=study.facility_id,
        record_id=releases.record_of(study.patient_id),
        way=way,
        **detail,
    )


def stream(leave: Pass, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass blocks on; every 4 MiB or 5 s ask again whether the look still stands, else raise LookEnded."""
    sent, asked_at = 0, time.monotonic()
    with _counted(leave.viewer.crowd):
        for block in in_blocks(blocks):
            if sent >= ASK_AGAIN_BYTES or time.monotonic() - asked_at >= ASK_AGAIN_SECONDS:
                _ask_again(leave)
                sent, asked_at = 0, time.monotonic()
            sent += len(block)
            yield block


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces put together to blocks of a megabyte, for each that is handed on costs; the first goes at once."""
    held: list[bytes] = []
    size, wanted = 0, 1
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= wanted:
            yield b"".join(held)
            held, size, wanted = [], 0, BLOCK
    if held:
        yield b"".join(held)


@contextmanager
def place(leave: Pass) -> Iterator[None]:
    """A place for work that takes long before the first byte leaves; Unavailable as in `answer`."""
    _leave_some_to_others(leave.viewer)
    with _counted(leave.viewer.crowd):
        yield


@contextmanager
def making(leave: Pass) -> Iterator[None]:
    """A place for a picture that the sandbox makes while its viewer waits; Unavailable when she has several."""
    key = f"{leave.viewer.crowd}|making"
    if _running[key] >= MOST_MADE:
        raise Unavailable(retry_after=2)
    with _counted(key):
        yield


def _leave_some_to_others(viewer: Viewer) -> None:
    if _running[viewer.crowd] >= MOST_STREAMS:
        raise Unavailable(retry_after=10)


@contextmanager
def _counted(crowd: str) -> Iterator[None]:
    with _counting:
        _running[crowd] += 1
    try:
        yield
    finally:
        with _counting:
            _running[crowd] -= 1
            if not _running[crowd]:
                del _running[crowd]


def _ask_again(leave: Pass) -> None:
    visible = access.visible_to(leave.viewer, leave.right).filter(pk=leave.study.pk, access_epoch=leave.epoch)
    stands = visible.exists() and _holds_parts(leave)
    if not connection.in_atomic_block:
        connection.close()  # a slow download must not hold one of the pool's few connections
    if not stands:
        raise LookEnded


def _holds_parts(leave: Pass) -> bool:
    """Whether what is being carried is still within what may be seen of the study."""
    now, then = access.only_series(leave.viewer, leave.study.pk, leave.right), leave.study.only_series
    return now is None or (then is not None and then <= now)


def answer(
    leave: Pass, blocks: Iterable[bytes], media_type: str, *, length: int | None = None, filename: str = ""
) -> StreamingHttpResponse:
    """The response that carries study bytes: never cached, never sniffed, never run as a page of ours.

    Unavailable while so many run to this viewer that she would take the server's threads from everybody else.
    """
    _leave_some_to_others(leave.viewer)
    response = StreamingHttpResponse(stream(leave, blocks), content_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = SANDBOX_POLICY
    response.headers["X-Accel-Buffering"] = "no"
    if length is not None:
        response.headers["Content-Length"] = str(length)
    if filename:
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def viewer_of(request: HttpRequest) -> Viewer:
    """The viewer behind a request that the policies have let through: by the capability in its address, if it has one,
    and then as nobody else, whatever cookies come along."""
    capability = capability_of(request)
    return Machine(capability) if capability else guests.viewer_of(request)


def capability_of(request: HttpRequest) -> Capability | None:
    """What `under_capability` found in the address."""
    return getattr(request, _CAPABILITY, None)


def under_capability(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view for a machine whose address holds a capability; NotFound for one that is unknown or has ended."""

    @wraps(view)
    def ask(request: HttpRequest, capability: str, **kwargs: Any) -> HttpResponseBase:
        setattr(request, _CAPABILITY, capabilities.find(capability))
        return view(request, **kwargs)

    return ask
