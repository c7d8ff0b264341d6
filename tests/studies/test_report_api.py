from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import encode_multipart

from accounts.audit import Actor
from sharing import releases
from studies import intake, pipeline, report_api, reports, sandbox
from studies.models import Report, Study
from tests.cast import Cast
from tests.factories import ct_file, uid
from tests.studies.documents_made import PDF, pdf_object, radiology_report

URL = "/api/v1/reports/"


@pytest.fixture
def tool(cast: Cast) -> Client:
    """Lakeside's own software."""
    return Client(headers={"Authorization": f"Bearer {cast.lakeside_key}"})


def said(cast: Cast, **more: Any) -> dict[str, Any]:
    return {"study_uid": cast.study.study_uid, "status": "final", "text": "All well.", **more}


def post(tool: Client, body: dict[str, Any]) -> Any:
    return tool.post(URL, body, content_type="application/json")


def test_a_text_is_a_version(cast: Cast, tool: Client) -> None:
    answer = post(tool, said(cast))
    assert (answer.status_code, answer.json()["version"], answer.json()["attached"]) == (201, 1, True)
    assert [reports.text(one) for one in reports.released(cast.study)] == ["All well."]


def test_the_same_again_answers_the_same(cast: Cast, tool: Client) -> None:
    first = post(tool, said(cast))
    again = post(tool, said(cast))
    assert (again.status_code, again.json()) == (201, first.json())


def test_a_report_without_its_study_waits(cast: Cast, tool: Client) -> None:
    answer = post(tool, {"accession_number": "unknown", "status": "final", "text": "All well."})
    assert (answer.status_code, answer.json()["attached"]) == (202, False)


def test_a_sender_may_say_whose_it_is_and_then_it_must_be(cast: Cast, tool: Client) -> None:
    hers = cast.study.patient.patient_id
    refused = post(tool, said(cast, patient_id="SOMEBODY-ELSE"))
    assert (refused.status_code, refused.json()["code"]) == (400, "other_patient")
    assert reports.released(cast.study) == []
    assert post(tool, said(cast, patient_id=hers)).status_code == 201
    document = SimpleUploadedFile("r", pdf_object(StudyInstanceUID=cast.study.study_uid, PatientID=hers))
    answer = tool.post(URL, {"status": "final", "patient_id": "SOMEBODY-ELSE", "file": document})
    assert (answer.status_code, answer.json()["code"]) == (400, "other_patient")


def test_a_report_that_waits_is_not_given_to_another_patient(cast: Cast, tool: Client) -> None:
    for number, patient in enumerate(("MRN-WAITS", "SOMEBODY-ELSE")):
        body = {"accession_number": "ACC-WAITS", "status": "final", "text": f"Text {number}", "patient_id": patient}
        assert post(tool, body).status_code == 202
    intake.publish(cast.lakeside, [[ct_file(1, study=77, PatientID="MRN-WAITS", AccessionNumber="ACC-WAITS")]])
    study = Study.objects.get(facility=cast.lakeside, study_uid=uid(77))
    pipeline.advance(study.pk, at_once=True)
    assert [reports.text(one) for one in reports.released(study)] == ["Text 0"]


@pytest.mark.parametrize("is_dicom", [False, True])
def test_a_file_may_be_pdf_or_dicom(cast: Cast, tool: Client, is_dicom: bool) -> None:
    hers: dict[str, Any] = {"StudyInstanceUID": cast.study.study_uid, "PatientID": cast.study.patient.patient_id}
    document = pdf_object(**hers) if is_dicom else PDF
    body = {"study_uid": cast.study.study_uid, "status": "final", "file": SimpleUploadedFile("r", document)}
    assert tool.post(URL, body).status_code == 201
    (report,) = reports.released(cast.study)
    assert b"".join(reports.blocks(report)) == PDF


def test_a_dicom_file_need_not_be_told_its_study(cast: Cast, tool: Client) -> None:
    hers: dict[str, Any] = {"StudyInstanceUID": cast.study.study_uid, "PatientID": cast.study.patient.patient_id}
    answer = tool.post(URL, {"status": "final", "file": SimpleUploadedFile("r", radiology_report(**hers))})
    assert (answer.status_code, answer.json()["attached"]) == (201, True)
    unnamed = tool.post(URL, {"status": "final", "file": SimpleUploadedFile("r", PDF)})
    assert (unnamed.status_code, unnamed.json()["code"]) == (400, "study_not_named")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (radiology_report(), "other_study"),
        (PDF[:300], "report_refused"),
        (b"\0" * 128 + b"DICM nothing", "report_refused"),
    ],
)
def test_a_file_that_cannot_be_the_report_is_refused_with_a_next_step(
    cast: Cast, tool: Client, file: bytes, code: str
) -> None:
    body = {"study_uid": cast.study.study_uid, "status": "final", "file": SimpleUploadedFile("r", file)}
    answer = tool.post(URL, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert all(answer.json()[part] for part in ("message", "hint"))
    assert not Report.objects.exists()


def test_a_sender_whose_turn_does_not_come_is_told_to_wait(
    cast: Cast, tool: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*args: Any, **kwargs: Any) -> None:
        assert (kwargs["lane"], kwargs["patience"], kwargs["whose"]) == (sandbox.ADMISSION, 15, cast.lakeside.pk)
        raise sandbox.SandboxBusy

    monkeypatch.setattr(sandbox, "run", busy)
    body = {"study_uid": cast.study.study_uid, "status": "final", "file": SimpleUploadedFile("r", PDF)}
    answer = tool.post(URL, body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert not Report.objects.exists()


def test_a_form_that_broke_off_is_refused(cast: Cast, tool: Client) -> None:
    fields = {"study_uid": cast.study.study_uid, "status": "final", "file": SimpleUploadedFile("r.txt", b"x" * 500)}
    whole = encode_multipart("edge", fields)
    for length in (len(whole) - 4, len(whole) - 200, 60):
        answer = tool.post(URL, whole[:length], content_type="multipart/form-data; boundary=edge")
        assert (answer.status_code, answer.json()["code"]) == (400, "broken_off")
    assert not Report.objects.exists()
    answer = tool.post(URL, whole + b"an epilogue", content_type='multipart/form-data; boundary="edge"')
    assert answer.status_code == 201


def test_a_large_file_never_touches_the_disk_unsealed(
    cast: Cast, tool: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    document = PDF + b"\n" * (3 * 2**20)
    file = SimpleUploadedFile("r.pdf", document)
    answer = tool.post(URL, {"study_uid": cast.study.study_uid, "status": "final", "file": file})
    assert answer.status_code == 201
    assert list(tmp_path.iterdir()) == []


def test_a_chunked_body_is_read(cast: Cast, tool: Client) -> None:
    body = b'{"study_uid": "%s", "status": "final", "text": "All well."}' % cast.study.study_uid.encode()
    server: dict[str, Any] = {
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    answer = tool.generic("POST", URL, CONTENT_TYPE="application/json", **server)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "finished"},
        {"text": ""},
        {"text": "a\0b"},
        {"study_uid": ""},
        {"study_uid": "no uid"},
        {"study_uid": "1" * 65},
    ],
)
def test_a_wrong_value_is_named(cast: Cast, tool: Client, wrong: dict[str, str]) -> None:
    answer = post(tool, said(cast, **wrong))
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not Report.objects.exists()


def test_a_report_has_one_body(cast: Cast, tool: Client) -> None:
    body = said(cast, file=SimpleUploadedFile("r.pdf", PDF))
    assert tool.post(URL, body).status_code == 400
    del body["file"], body["text"]
    assert post(tool, body).status_code == 400


def test_too_large_a_body_is_refused_unread(cast: Cast, tool: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_api, "BODY_LIMIT", 1000)
    assert post(tool, said(cast, text="x" * 2000)).status_code == 413


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic abc"])
def test_without_a_key_nothing_is_taken(cast: Cast, authorization: str) -> None:
    answer = post(Client(headers={"Authorization": authorization}), said(cast))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_signed_in_person_sends_no_reports(cast: Cast, client: Client) -> None:
    client.force_login(cast.maria)
    assert post(client, said(cast)).status_code in (401, 403)
    assert not Report.objects.exists()


def receipt(client: Client) -> Any:
    return client.get(f"/api/v1/publications/{uid(1)}/")


def test_a_receipt_follows_the_study(cast: Cast, tool: Client, transactional_db: None) -> None:
    assert receipt(tool).status_code == 404
    intake.publish(cast.lakeside, [[ct_file(1)]])
    assert receipt(tool).json()["state"] == "receiving"
    study = cast.lakeside.studies.get(study_uid=uid(1))
    pipeline.advance(study.pk, at_once=True)
    told = receipt(tool).json()
    assert (told["state"], [one["sop_uid"] for one in told["instances"]]) == ("ready", [uid(1, 1, 1)])
    releases.withdraw(study, "sent by mistake", actor=Actor.facility(cast.lakeside))
    assert receipt(tool).json()["state"] == "withdrawn"


def test_another_facilitys_receipt_is_not_found(cast: Cast, transactional_db: None) -> None:
    intake.publish(cast.lakeside, [[ct_file(1)]])
    hilltop = Client(headers={"Authorization": f"Bearer {cast.hilltop_key}"})
    assert receipt(hilltop).status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[" * 100_000, "application/json"),
        (b"--x\r\n" * 10_000, "multipart/form-data; boundary=x"),
        (b"--y--", "multipart/form-data"),
    ],
)
def test_a_body_that_nobody_can_read_is_the_senders_fault(tool: Client, body: bytes, content_type: str) -> None:
    answer = tool.post("/api/v1/reports/", body, content_type=content_type)
    assert (answer.status_code, set(answer.json()) >= {"code", "message"}) == (400, True)


@pytest.mark.parametrize("name", ["1.2%00", "1.2.x", "1" * 65, "%F0%9F%90%9F"])
def test_a_receipt_of_what_is_no_uid_is_not_found(tool: Client, name: str) -> None:
    assert tool.get(f"/api/v1/publications/{name}/").status_code == 404


def test_the_api_describes_itself(client: Client, db: None) -> None:
    paths = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).json()["paths"]
    assert {"201", "202"} <= paths[URL]["post"]["responses"].keys()
    assert "/api/v1/publications/{study_uid}/" in paths
