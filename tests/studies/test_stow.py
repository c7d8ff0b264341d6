"""STOW-RS as facilities' tools speak it (PS3.18 §10.5)."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from pytest_django import Settings

from accounts.audit import Actor
from accounts.facilities import add_facility
from accounts.models import User
from studies.models import Instance, Quarantined
from studies.sandbox import Sandbox
from tests.factories import CT, ct_file, ct_series, related, uid
from tests.studies.stow import URL, Pieces, Sender, module, refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]


@pytest.fixture
def sender() -> Sender:
    return Sender(*add_facility("Lakeside", actor=Actor.operator()))


# --- what is answered


def test_a_stored_series_is_listed_with_where_to_find_it(sender: Sender, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://images.example.org"
    response = sender.send(*ct_series(2))
    answer = module(response)
    assert response.status_code == 200
    assert answer.RetrieveURL == f"https://images.example.org/dicom-web/studies/{uid(1)}"
    first, second = answer.ReferencedSOPSequence
    assert (first.ReferencedSOPClassUID, first.ReferencedSOPInstanceUID) == (CT, uid(1, 1, 1))
    assert second.RetrieveURL == f"{answer.RetrieveURL}/series/{uid(1, 1)}/instances/{uid(1, 1, 2)}"
    assert "FailedSOPSequence" not in answer
    assert "Warning" not in response.headers


def test_sending_again_is_a_success(sender: Sender) -> None:
    first, again = sender.send(ct_file()), sender.send(ct_file())
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert Instance.objects.count() == 1


def test_two_studies_have_no_common_address(sender: Sender) -> None:
    answer = module(sender.send(ct_file(), ct_file(study=2)))
    assert "RetrieveURL" not in answer
    assert len(answer.ReferencedSOPSequence) == 2


def test_some_that_fail_are_named_with_their_reason(sender: Sender) -> None:
    response = sender.send(ct_file(1), ct_file(2)[:-9], b"no dicom at all")
    answer = module(response)
    assert response.status_code == 202
    assert len(answer.ReferencedSOPSequence) == 1
    cut_off, unknown = answer.FailedSOPSequence
    assert (cut_off.ReferencedSOPInstanceUID, cut_off.FailureReason) == (uid(1, 1, 2), 0xC000)
    assert (unknown.ReferencedSOPInstanceUID or "", unknown.FailureReason) == ("", 0xC000)
    assert response.headers["Warning"].startswith('299 lightbox "The file was cut off')


def test_none_that_is_stored_is_a_conflict(sender: Sender) -> None:
    response = sender.send(b"no dicom at all")
    assert response.status_code == 409
    assert "ReferencedSOPSequence" not in module(response)


def test_quarantine_is_a_success_with_a_warning(sender: Sender) -> None:
    response = sender.send(ct_file(PatientID=""))
    (item,) = module(response).ReferencedSOPSequence
    assert response.status_code == 202
    assert (item.WarningReason, item.RetrieveURL or "") == (0xB000, "")
    assert response.headers["Warning"] == (
        '299 lightbox "Kept, but not shown: The file names no patient ID. The facility\'s staff decide at the desk."'
    )
    assert Quarantined.objects.count() == 1


def test_the_answer_speaks_english_to_programs(sender: Sender) -> None:
    response = sender.send(ct_file(PatientID=""), headers={"Accept-Language": "es"})
    assert "names no patient ID" in response.headers["Warning"]


def test_another_study_than_the_address_names_fails(sender: Sender) -> None:
    response = sender.send(ct_file(1), ct_file(study=2), url=f"{URL}/{uid(1)}")
    (failed,) = module(response).FailedSOPSequence
    assert (response.status_code, failed.FailureReason) == (202, 43265)


def test_an_instance_without_its_uids_does_not_match(sender: Sender) -> None:
    response = sender.send(ct_file(), ct_file(2, SeriesInstanceUID=""))
    (failed,) = module(response).FailedSOPSequence
    assert (response.status_code, failed.FailureReason) == (202, 0xA900)
    assert "UID is missing" in response.headers["Warning"]


def test_a_reader_that_dies_is_a_failure_to_process(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = Sandbox(("tests.studies.sandbox_tasks",))
    monkeypatch.setattr("studies.receiving.arrivals.sandbox.run", lambda *_, **__: hostile.run("crash", {}, []))
    odd = ct_file(2, SpecificCharacterSet="ISO_IR 192", PatientID="Zürich-1")
    response = sender.send(ct_file(), odd)
    hostile.stop()
    (failed,) = module(response).FailedSOPSequence
    assert (response.status_code, failed.FailureReason) == (202, 0x0110)
    assert len(module(response).ReferencedSOPSequence) == 1


def test_an_answer_in_xml_is_not_insisted_on(sender: Sender) -> None:
    response = sender.send(ct_file(), headers={"Accept": "application/dicom+xml"})
    assert response.status_code == 200


# --- what is taken


def test_a_single_instance_needs_no_multipart(sender: Sender) -> None:
    assert sender.post(ct_file(), "application/dicom").status_code == 200


@pytest.mark.parametrize(
    ("lead", "tail"), [(b"\r\n", b""), (b"This is a preamble.\r\n", b"\r\nepilogue"), (b"", b"\r\n")]
)
def test_senders_frame_their_bodies_as_they_like(sender: Sender, lead: bytes, tail: bytes) -> None:
    kind, body = related([ct_file()])
    assert sender.post(lead + body.removesuffix(b"\r\n") + tail, kind).status_code == 200


def test_a_chunked_body_is_read_from_the_server_itself(sender: Sender) -> None:
    kind, body = related(ct_series(3))
    response = sender.post(b"", kind, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked", **terminated(BytesIO(body)))
    assert response.status_code == 200
    assert Instance.objects.count() == 3


def terminated(source: Any) -> dict[str, Any]:
    """The environment of a server that ends the stream itself."""
    return {"wsgi.input": source, "wsgi.input_terminated": True}


def test_no_read_asks_for_more_than_a_block(sender: Sender) -> None:
    kind, body = related(ct_series(2))
    source = Pieces(body[at : at + 1000] for at in range(0, len(body), 1000))
    assert sender.post(b"", kind, CONTENT_LENGTH="", **terminated(source)).status_code == 200
    assert source.most_asked <= 256 * 1024


# --- what is refused


def test_without_a_key_nothing_is_read(sender: Sender) -> None:
    sender.headers = {}
    response = sender.send(ct_file())
    assert refused(response) == (401, "sign_in_needed")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert not Instance.objects.exists()


@pytest.mark.parametrize("key", ["Bearer lbx_000000000000_" + "A" * 43, "Bearer nonsense", "Bearer", "Basic eDp5"])
def test_a_wrong_key_is_no_key(sender: Sender, key: str) -> None:
    sender.headers = {"Authorization": key}
    assert sender.send(ct_file()).status_code == 401


def test_a_refused_key_hears_that_it_is_not_valid_rather_than_that_one_is_needed(sender: Sender) -> None:
    sender.headers = {"Authorization": "Bearer nonsense"}
    assert json.loads(sender.send(ct_file()).content)["message"] == "This key is not valid."
    sender.headers = {}
    assert json.loads(sender.send(ct_file()).content)["message"] == "A facility key is needed to publish."


def test_a_person_may_not_publish(sender: Sender) -> None:
    sender.client.force_login(User.objects.create_user("maria@example.org", "a long password"))
    sender.headers = {}
    assert refused(sender.send(ct_file())) == (403, "not_allowed")


def test_a_key_counts_whoever_is_signed_in(sender: Sender) -> None:
    sender.client.force_login(User.objects.create_user("maria@example.org", "a long password"))
    assert sender.send(ct_file()).status_code == 200


def test_reading_needs_a_session(sender: Sender) -> None:
    assert sender.client.get(URL).status_code == 401
    sender.client.force_login(User.objects.create_user("maria@example.org", "a long password"))
    assert sender.client.get(URL).json() == []


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("multipart/related", b"x", (400, "boundary_missing")),
        ("multipart/related; boundary=b", b"--b--\r\n", (400, "no_parts")),
        ("multipart/related; boundary=b", b"--b\r\n\r\nabc", (400, "multipart_truncated")),
        ("multipart/form-data; boundary=b", b"--b--\r\n", (415, "unsupported_media")),
        ("application/json", b"{}", (415, "unsupported_media")),
        ("", b"x", (415, "unsupported_media")),
    ],
)
def test_a_body_that_is_no_message_is_refused(
    sender: Sender, kind: str, body: bytes, expected: tuple[int, str]
) -> None:
    assert refused(sender.post(body, kind)) == expected


def test_a_message_cut_off_stores_nothing(sender: Sender) -> None:
    kind, body = related(ct_series(3))
    assert refused(sender.post(body[:-100], kind)) == (400, "multipart_truncated")
    assert not Instance.objects.exists()


def test_a_single_instance_cut_off_between_elements_is_noticed(sender: Sender) -> None:
    file = ct_file()
    whole_header = file[: file.index(b"\xe0\x7f\x10\x00")]
    source = terminated(BytesIO(whole_header))
    response = sender.post(b"", "application/dicom", CONTENT_LENGTH=str(len(file)), **source)
    assert refused(response) == (400, "broken_off")
    assert not Instance.objects.exists()


def test_a_compressed_body_is_refused(sender: Sender) -> None:
    assert refused(sender.send(ct_file(), headers={"Content-Encoding": "gzip"})) == (415, "content_encoding")


def test_a_body_without_an_end_is_refused(sender: Sender) -> None:
    kind, body = related([ct_file()])
    response = sender.post(body, kind, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert refused(response) == (411, "length_required")


def test_an_address_without_a_uid_is_refused(sender: Sender) -> None:
    assert sender.send(ct_file(), url=f"{URL}/nonsense").status_code == 400


def test_too_large_is_said_before_anything_is_read(sender: Sender, settings: Settings) -> None:
    settings.MAX_INSTANCE_BYTES = 1000
    assert refused(sender.post(ct_file(), "application/dicom")) == (413, "too_large")
    assert sender.send(ct_file()).status_code == 413


def test_the_days_limit_is_said_before_anything_is_read(sender: Sender, settings: Settings) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 1000
    assert refused(sender.send(ct_file())) == (413, "too_much")


def test_a_full_disk_asks_to_come_back(sender: Sender, settings: Settings) -> None:
    settings.FREE_SPACE_FLOOR = 2**80
    response = sender.send(ct_file())
    assert refused(response) == (503, "no_room")
    assert int(response.headers["Retry-After"]) > 0


def test_a_refused_body_is_read_so_that_the_answer_is_heard(sender: Sender) -> None:
    sender.headers = {}
    source = BytesIO(bytes(10**6))
    sender.post(b"", "application/dicom", CONTENT_LENGTH=str(10**6), **terminated(source))
    assert source.tell() == 10**6
