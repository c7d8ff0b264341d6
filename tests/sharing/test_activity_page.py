from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

import pypdfium2
import pytest
from django.test import Client

from accounts import audit
from accounts.audit import Action, Actor
from sharing import releases
from sharing.views.activity import harmless
from studies.models import Study
from tests.cast import Cast, a_study


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def _look(cast: Cast, actor: Actor, study: Study | None = None) -> None:
    study = study or cast.study
    audit.record(Action.VIEWED, actor=actor, study_id=study.pk, record_id=cast.maria.record.pk, way="page")


def _looks(answer: Any) -> list[str]:
    return [f"{look.who} {look.what}" for look in answer.context["looks"]]


def _table(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_every_look_is_told_in_words(maria: Client, cast: Cast) -> None:
    _look(cast, Actor.staff(cast.tom, cast.lakeside))
    _look(cast, Actor.person(cast.maria))
    answer = maria.get("/activity/")
    assert _looks(answer)[:2] == ["You looked at the pictures", "Staff of Lakeside Imaging looked at the pictures"]
    assert "on this site" in answer.content.decode()


def test_it_narrows_to_others_and_to_one_study(maria: Client, cast: Cast) -> None:
    other = a_study(cast.patient)
    releases.release(other, actor=Actor.system())
    _look(cast, Actor.person(cast.maria))
    _look(cast, Actor.staff(cast.tom, cast.lakeside), other)
    assert "You looked at the pictures" not in _looks(maria.get("/activity/?others=1"))
    assert "Staff of Lakeside Imaging looked at the pictures" in _looks(maria.get(f"/activity/?study={other.pk}"))
    assert "You looked at the pictures" not in _looks(maria.get(f"/activity/?study={other.pk}"))


@pytest.mark.parametrize("wanted", ["nonsense", str(UUID(int=7))])
@pytest.mark.parametrize("path", ["/activity/", "/activity/download/"])
def test_a_study_that_is_not_there_is_not_there(maria: Client, path: str, wanted: str) -> None:
    assert maria.get(path, {"study": wanted}).status_code == 404


def test_the_activity_of_a_study_is_its_keepers(client: Client, cast: Cast) -> None:
    for who, status in [(cast.tom, 403), (cast.eve, 404)]:
        client.force_login(who)
        assert client.get("/activity/", {"study": str(cast.study.pk)}).status_code == status


def test_pages_keep_what_was_asked(maria: Client, cast: Cast) -> None:
    for _ in range(51):
        _look(cast, Actor.staff(cast.tom, cast.lakeside))
    first = maria.get("/activity/?others=1")
    assert len(_looks(first)) == 50
    assert 'href="?others=1&page=2"' in first.content.decode()
    assert len(_looks(maria.get("/activity/?others=1&page=2"))) == 2


def test_the_table_holds_all_of_it(maria: Client, cast: Cast) -> None:
    for _ in range(60):
        _look(cast, Actor.person(cast.eve))
    answer = maria.get("/activity/download/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    head, *rows = _table(answer)
    assert head == ["When (UTC)", "Who", "What", "How", "Exam"]
    assert len(rows) == 61
    assert rows[0][1:4] == ["eve@example.org", "looked at the pictures", "on this site"]


def test_a_name_that_is_a_formula_does_nothing(maria: Client, cast: Cast) -> None:
    cast.eve.record.name = '=HYPERLINK("http://evil.example";"x")'
    cast.eve.record.save()
    _look(cast, Actor.person(cast.eve))
    assert _table(maria.get("/activity/download/"))[1][1].startswith("'=HYPERLINK")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1"])
@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "Dr;", "Dr; "])
def test_formulas_lose_their_force(before: str, formula: str) -> None:
    assert harmless(before + formula) == f"{before}'{formula}"


@pytest.mark.parametrize("cell", ["Dr Lee", "Lee-Kim; Ann", "CT of 5 - 6 March", "a@b.org"])
def test_what_is_no_formula_stays(cell: str) -> None:
    assert harmless(cell) == cell


def _pages(answer: Any) -> str:
    document = pypdfium2.PdfDocument(answer.content)
    return " ".join(document[number].get_textpage().get_text_range() for number in range(len(document)))


def test_the_whole_activity_is_a_document_too(maria: Client, cast: Cast) -> None:
    """An accounting of disclosures: who, what, when and how, for paper."""
    for _ in range(60):
        _look(cast, Actor.staff(cast.tom, cast.lakeside))
    answer = maria.get("/activity/print/?others=1")
    assert answer["Content-Type"] == "application/pdf"
    assert 'filename="activity.pdf"' in answer["Content-Disposition"]
    text = _pages(answer)
    assert text.count("Staff of Lakeside Imaging") == 60
    assert text.count("looked at the pictures") == 60
    assert "Who looked at my images" in text
    assert "maria@example.org" in text


def test_the_document_of_one_exam_names_it(maria: Client, cast: Cast) -> None:
    other = a_study(cast.patient, description="Knee")
    releases.release(other, actor=Actor.system())
    _look(cast, Actor.staff(cast.tom, cast.lakeside), other)
    assert "Only about “Knee”." in _pages(maria.get(f"/activity/print/?study={other.pk}"))
    assert maria.get(f"/activity/print/?study={cast.lakeside.pk}").status_code == 404
