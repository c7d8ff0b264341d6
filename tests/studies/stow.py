"""A facility's tool that speaks STOW-RS, in all the ways tools do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import RawIOBase
from typing import Any, cast

from django.http import HttpResponse
from django.test import Client
from pydicom.dataset import Dataset

from accounts.models import Facility
from tests.factories import related

URL = "/dicom-web/studies"


class Sender:
    """A facility's tool."""

    def __init__(self, facility: Facility, key: str) -> None:
        self.facility = facility
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {"Authorization": f"Bearer {key}"}

    def send(self, *files: bytes, url: str = URL, **extra: Any) -> HttpResponse:
        """One multipart request with these files."""
        kind, body = related(files)
        return self.post(body, kind, url, **extra)

    def post(self, body: bytes, kind: str, url: str = URL, **extra: Any) -> HttpResponse:
        """One request with this body, its length announced."""
        headers = {**self.headers, **extra.pop("headers", {})}
        answer = self.client.post(url, body, CONTENT_TYPE=kind, content_type=kind, headers=headers, **extra)
        return cast(HttpResponse, answer)

    def post_in_chunks(self, pieces: Iterable[bytes], kind: str, url: str = URL, **extra: Any) -> HttpResponse:
        """One request without a length, whose end the server knows."""
        source = {"wsgi.input": Pieces(pieces), "wsgi.input_terminated": True}
        chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
        return self.post(b"", kind, url, **source, **chunked, **extra)


class Pieces(RawIOBase):
    """A body made while it is read, so that nobody can hold it. No piece may be longer than what is asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.most_asked = self.given = 0
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, count: int = -1) -> bytes:
        assert count > 0, "asked for everything at once"
        self.most_asked = max(self.most_asked, count)
        held = self._rest or next(self._pieces, b"")
        block, self._rest = held[:count], held[count:]
        self.given += len(block)
        return block


def module(response: HttpResponse) -> Dataset:
    """The Store Instances Response Module, as pydicom reads it."""
    assert response.headers["Content-Type"] == "application/dicom+json"
    return Dataset.from_json(response.content.decode())


def refused(response: HttpResponse) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, json.loads(response.content)["code"]
