"""WADO-RS (PS3.18 §10.4): instances, metadata, frames, bulk data and pictures, for whoever may look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest, NotFound, Unavailable
from portal import delivery, packing
from portal.dicomweb import accepting, addresses, forms, parts, riders, scope
from portal.dicomweb.accepting import STORED, NotAcceptable
from portal.dicomweb.forms import DICOM, JPEG, JSON, OCTETS, XML, Form
from portal.dicomweb.parts import Part
from portal.dicomweb.scope import Found
from sharing.access import Right
from studies import catalog, closer, native, retrieving
from studies.closer import FUNCTIONS, Look
from studies.models import Study
from studies.retrieving import PDF, PDF_CONTENT, Stored

MOST_FRAMES: Final = 1000  # of one request
THUMBNAIL: Final = 256  # pixels, longest side
ARRIVING: Final = 30  # seconds after which it is worth asking again


def instances(
    request: HttpRequest, study_uid: str, series_uid: str = "", sop_uid: str = "", study_id: UUID | None = None
) -> StreamingHttpResponse:
    """The files themselves, unchanged: of a study, a series, or one of them alone."""
    found = scope.find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.DOWNLOAD)
    if not series_uid and found.leave.study.state != Study.State.READY:
        raise Unavailable(_("This exam is still arriving."), retry_after=ARRIVING)
    is_single = bool(sop_uid)
    for entry in accepting.wanted(request):
        if not entry.takes(DICOM) or not all(_takes_syntax(entry.syntax, one) for one in found.instances):
            continue
        if entry.multipart is False and is_single:
            return parts.alone(found.leave, _file(found.one), f"{found.one.sop_uid}.dcm")
        if entry.multipart is not False:
            return parts.related(found.leave, map(_file, found.instances), DICOM)
    raise NotAcceptable(f'multipart/related; type="{DICOM}"; transfer-syntax=*', *[DICOM] * is_single)


def _takes_syntax(asked: str, one: Stored) -> bool:
    """What is stored is given as it is: to who takes it, or leaves it open."""
    return asked in ("", STORED, one.transfer_syntax_uid)


def _file(one: Stored) -> Part:
    return Part(DICOM, one.transfer_syntax_uid, one.length, one.blocks())


def metadata(
    request: HttpRequest, study_uid: str, series_uid: str = "", sop_uid: str = "", study_id: UUID | None = None
) -> StreamingHttpResponse:
    """What every header says: an array of DICOM JSON, or a part of XML for each instance."""
    form = forms.of_headers(accepting.wanted(request))
    if form == JSON and series_uid and not sop_uid:
        rider = riders.metadata(request, study_uid, study_id)
        if (kept := rider.of(series_uid)) and packing.takes_gzip(request.headers.get("Accept-Encoding", "")):
            return _metadata(rider.leave, kept, "gzip")
    found = scope.find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.SEE)
    with delivery.making(found.leave):
        said = retrieving.metadata(found.instances, addresses.base(request, study_id), whose=found.leave.viewer.crowd)
        if form == XML:
            return _in_xml(found.leave, native.documents(said))
        content, encoding = packing.gzipped(request, said)
    return _metadata(found.leave, content, encoding)


def _in_xml(leave: delivery.Pass, documents: Iterator[bytes]) -> StreamingHttpResponse:
    return parts.related(leave, (Part(XML, "", len(one), [one]) for one in documents), XML)


def _metadata(leave: delivery.Pass, content: bytes, encoding: str) -> StreamingHttpResponse:
    answer = delivery.answer(leave, packing.pieces(content), JSON, length=len(content))
    packing.describe(answer, encoding)
    return answer


def frames(
    request: HttpRequest, study_uid: str, series_uid: str, sop_uid: str, numbers: str, study_id: UUID | None = None
) -> StreamingHttpResponse:
    """Frames by number (from 1), one part each in the order asked: as they are stored, or without compression."""
    wanted = _numbers(numbers)
    rider = riders.frames(request, study_uid, study_id)
    found = rider.picture(request, study_uid, series_uid, sop_uid, study_id)
    if max(wanted) > found.one.frame_count:
        raise NotFound
    return _frames(request, found, wanted)


def _frames(request: HttpRequest, found: Found, wanted: list[int]) -> StreamingHttpResponse:
    form = forms.of_frames(accepting.wanted(request), found.one.frame_syntax, len(wanted))
    if form is None:
        raise forms.frames_refused(found.one.frame_syntax)
    first = _frame(found, wanted[0], form)  # whoever has none hears it before the answer begins
    if form.is_alone:
        return parts.alone(found.leave, first)
    return parts.related(found.leave, _all_frames(found, first, wanted, form), form.media_type)


def _frame(found: Found, number: int, form: Form) -> Part:
    content = retrieving.frame(found.one, number, decoded=form.is_decoded, whose=found.leave.viewer.crowd)
    return Part(form.media_type, form.syntax, len(content), packing.pieces(content))


def _all_frames(found: Found, first: Part, wanted: list[int], form: Form) -> Iterator[Part]:
    yield first
    yield from (_frame(found, number, form) for number in wanted[1:])


def _numbers(said: str) -> list[int]:
    if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8})*", said, re.ASCII):
        raise BadRequest(_("Frames are numbers from 1, with commas between them."))
    numbers = [int(one) for one in said.split(",")]
    if len(numbers) > MOST_FRAMES:
        raise BadRequest(_("So many frames are not given at once; ask for fewer."))
    return numbers


def bulk_data(
    request: HttpRequest, study_uid: str, series_uid: str, sop_uid: str, path: str, study_id: UUID | None = None
) -> StreamingHttpResponse:
    """One long value that the metadata named; the pixels as frames (§10.4.1.1.5)."""
    found = scope.find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.SEE)
    if path in ("7FE00008", "7FE00009", "7FE00010"):
        return _frames(request, found, list(range(1, found.one.frame_count + 1)))
    if not re.fullmatch(r"[0-9A-F]{8}(/\d{1,6}/[0-9A-F]{8}){0,31}", path, re.ASCII):
        raise NotFound
    is_alone = _is_alone(request)
    with delivery.making(found.leave):
        content = retrieving.bulk(found.one, path, whose=found.leave.viewer.crowd)
    if is_alone:
        return parts.ranged(found.leave, content, OCTETS, request.headers.get("Range", ""))
    return parts.related(found.leave, [Part(OCTETS, "", len(content), packing.pieces(content))], OCTETS)


def _is_alone(request: HttpRequest) -> bool:
    """Whether octets are asked for without a frame of parts around them. Raises NotAcceptable."""
    for entry in accepting.wanted(request):
        if entry.takes(OCTETS):
            return entry.multipart is False
    raise NotAcceptable(f'multipart/related; type="{OCTETS}"', OCTETS)


# --- pictures


def rendered(
    request: HttpRequest,
    study_uid: str,
    series_uid: str,
    sop_uid: str,
    number: int = 1,
    study_id: UUID | None = None,
) -> HttpResponseBase:
    """A picture of a frame (from 1), for a screen: `viewport`, `window`, `quality`. A PDF is given as such."""
    look = _look(request)
    found = scope.find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.SEE)
    if found.one.sop_class_uid == PDF:
        return _pdf(request, found)
    accepting.choose(request, JPEG)
    return _picture(found, found.one, number, look)


def all_rendered(
    request: HttpRequest, study_uid: str, series_uid: str = "", study_id: UUID | None = None
) -> StreamingHttpResponse:
    """Every picture of a study or a series, in order, as people see them: made before anybody asked."""
    if not _takes_parts(request, JPEG):
        raise NotAcceptable(f'multipart/related; type="{JPEG}"')
    found = scope.find(request, study_uid, series_uid, study_id=study_id, right=Right.SEE, words=False)
    wanted = {one.series_id for one in found.instances}
    previews = [one for one in catalog.previews(found.leave.study) if one.series_id in wanted]
    if not previews:
        raise NotFound
    return parts.related(found.leave, (Part(JPEG, "", one.length, one.blocks()) for one in previews), JPEG)


def _takes_parts(request: HttpRequest, media_type: str) -> bool:
    return any(entry.takes(media_type) and entry.multipart is not False for entry in accepting.wanted(request))


def thumbnail(
    request: HttpRequest,
    study_uid: str,
    series_uid: str = "",
    sop_uid: str = "",
    number: int = 0,
    study_id: UUID | None = None,
) -> HttpResponseBase:
    """A small picture that stands for a study, a series, an instance or a frame: the middle one of what is shown."""
    look = _look(request)
    small = Look(box=look.box or (THUMBNAIL, THUMBNAIL), quality=look.quality, window=look.window)
    accepting.choose(request, JPEG)
    found = scope.find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.SEE, words=False)
    one = found.one if sop_uid else _longest(found)[len(_longest(found)) // 2]
    return _picture(found, one, number or (one.frame_count + 1) // 2, small)


def _longest(found: Found) -> list[Stored]:
    """The instances of the series that has most of what may be a picture."""
    series: dict[str, list[Stored]] = {}
    for one in found.instances:
        series.setdefault(one.series_uid, []).append(one)
    return max(series.values(), key=len)


def _picture(found: Found, one: Stored, number: int, look: Look) -> StreamingHttpResponse:
    place = retrieving.place_of(found.leave.study, one, number)
    with delivery.making(found.leave):
        made = closer.rendered(found.leave.study, one.series_id, place, look, whose=found.leave.viewer.crowd)
    return delivery.answer(found.leave, made.blocks, made.media_type, length=made.length)


def _pdf(request: HttpRequest, found: Found) -> StreamingHttpResponse:
    """The document within: a report like any other, so who reads it is written down as its reader."""
    accepting.choose(request, "application/pdf")
    leave = delivery.admit(found.leave.viewer, found.leave.study.pk, Right.REPORT, scope.WAY)
    with delivery.making(leave):
        content = retrieving.bulk(found.one, PDF_CONTENT, whose=leave.viewer.crowd).rstrip(b"\0")
    return delivery.answer(leave, packing.pieces(content), "application/pdf", length=len(content))


def _look(request: HttpRequest) -> Look:
    """The rendering parameters (§8.3.5.1). BadRequest for one that makes no sense."""
    said = request.GET
    return Look(
        box=_box(said.get("viewport", "")),
        quality=_quality(said.get("quality", "")),
        window=_window(said.get("window", "")),
    )


def _box(said: str) -> tuple[int, int] | None:
    if not said:
        return None
    if not re.fullmatch(r"[1-9]\d{0,4},[1-9]\d{0,4}", said, re.ASCII):
        raise BadRequest(_("viewport is a width and a height in pixels: 512,512."))
    width, height = said.split(",")
    return int(width), int(height)


def _quality(said: str) -> int | None:
    if not said:
        return None
    if not re.fullmatch(r"[1-9]\d?|100", said, re.ASCII):
        raise BadRequest(_("quality is a number from 1 to 100."))
    return int(said)


def _window(said: str) -> tuple[float, float, str] | None:
    if not said:
        return None
    shaped = re.fullmatch(r"(-?\d{1,9}(?:\.\d{1,9})?),(\d{1,9}(?:\.\d{1,9})?),([a-z-]+)", said, re.ASCII)
    function = shaped[3].upper().replace("-", "_") if shaped else ""
    if not shaped or function not in FUNCTIONS or float(shaped[2]) <= 0:
        raise BadRequest(_("window is a centre, a width and a function: 40,400,linear."))
    return float(shaped[1]), float(shaped[2]), function
