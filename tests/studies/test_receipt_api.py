"""Receipts and announcements, as facilities' tools ask for them."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.audit import Action
from accounts.models import AuditEvent
from studies import announcements, intake
from studies.models import Study
from tests.cast import Cast
from tests.factories import ct_file, uid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

URL = f"/api/v1/publications/{uid(1)}/"
FILE = ct_file()


@pytest.fixture
def tool(cast: Cast) -> APIClient:
    """Lakeside's."""
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {cast.lakeside_key}")
    return client


def test_a_receipt_names_each_instance_by_its_digest(tool: APIClient, cast: Cast) -> None:
    intake.publish(cast.lakeside, [[FILE]])
    answer = tool.get(URL)
    row = {"sop_uid": uid(1, 1, 1), "sha256": hashlib.sha256(FILE).hexdigest(), "state": "receiving"}
    assert (answer.status_code, answer.json()["instances"]) == (200, [row])


def test_announcing_answers_with_the_receipt(tool: APIClient, cast: Cast) -> None:
    intake.publish(cast.lakeside, [[FILE]])
    answer = tool.post(URL, {"expected_instances": 2}, format="json")
    assert answer.status_code == 200
    assert (answer.json()["expected"], answer.json()["complete"]) == (2, False)
    assert tool.post(URL, {"expected_instances": 2}, format="json").json() == tool.get(URL).json()


def test_announcing_before_the_study_is_accepted(tool: APIClient, cast: Cast) -> None:
    answer = tool.post(URL, {"expected_instances": 1}, format="json")
    nothing_yet = {"state": "receiving", "expected": 1, "complete": False, "instances": []}
    assert (answer.status_code, answer.json()) == (202, nothing_yet)
    intake.publish(cast.lakeside, [[FILE]])
    assert tool.get(URL).json()["complete"] is True


def test_an_announcement_is_written_down_once(tool: APIClient, cast: Cast) -> None:
    for expected in (2, 2, 3):
        tool.post(URL, {"expected_instances": expected}, format="json")
    intake.publish(cast.lakeside, [[FILE]])
    tool.post(URL, {"expected_instances": 3}, format="json")
    tool.post(URL, {"expected_instances": 4}, format="json")
    events = AuditEvent.objects.filter(action=Action.ANNOUNCED).order_by("pk")
    assert [event.study_id for event in events] == [None, None, Study.objects.get(study_uid=uid(1)).pk]


def test_a_facility_cannot_announce_without_end(tool: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "A_DAY", 1)
    assert tool.post(URL, {"expected_instances": 1}, format="json").status_code == 202
    answer = tool.post(URL, {"expected_instances": 2}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_tries")
    assert answer.headers["Retry-After"]


def test_an_announcement_may_come_in_chunks(tool: APIClient) -> None:
    body = {"wsgi.input": BytesIO(b'{"expected_instances": 3}'), "wsgi.input_terminated": True}
    chunked: dict[str, Any] = {**body, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    assert tool.post(URL, content_type="application/json", **chunked).json()["expected"] == 3


@pytest.mark.parametrize("said", [{}, {"expected_instances": 0}, {"expected_instances": "many"}, []])
def test_an_announcement_without_a_number_is_refused(tool: APIClient, said: Any) -> None:
    answer = tool.post(URL, said, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("study_uid", [uid(9), "nonsense"])
def test_an_unknown_study_is_explained(tool: APIClient, study_uid: str) -> None:
    answer = tool.get(f"/api/v1/publications/{study_uid}/")
    assert answer.status_code == 404
    assert "published no study" in answer.json()["message"]


def test_a_key_is_needed(cast: Cast) -> None:
    anybody = APIClient()
    assert anybody.post(URL, {"expected_instances": 1}, format="json").status_code == 401
    anybody.force_login(cast.tom)
    assert anybody.get(URL).status_code == 401


def test_the_schema_tells_of_both(tool: APIClient) -> None:
    schema = tool.get("/api/schema/", HTTP_ACCEPT="application/json").json()
    path = schema["paths"]["/api/v1/publications/{study_uid}/"]
    assert set(path["post"]["responses"]) == {"200", "202"}
    said = schema["components"]["schemas"]["Receipt"]
    assert set(said["properties"]) == {"state", "expected", "complete", "problem", "instances"}
    assert "problem" not in said["required"]
