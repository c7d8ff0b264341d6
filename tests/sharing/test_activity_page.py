from __future__ import annotations

import csv
import io
import re
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
from tests.conftest import Clock


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
    older = _turn(first, "next")
    assert older.startswith("?others=1&before=")
    assert len(_looks(maria.get(f"/activity/{older}"))) == 2


def _turn(answer: Any, towards: str) -> str:
    """Where a page's link to the next older or newer one leads; "" where there is none."""
    found = re.search(f'rel="{towards}" href="([^"]+)"', answer.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


def _numbered(cast: Cast, numbers: range) -> None:
    """Looks by people who are told apart."""
    for number in numbers:
        actor = Actor("person", str(UUID(int=number)), f"{number}")
        audit.record(Action.VIEWED, actor=actor, study_id=cast.study.pk, record_id=cast.maria.record.pk, way="page")


def _who(answer: Any) -> list[str]:
    return [str(look.who) for look in answer.context["looks"]]


@pytest.mark.parametrize("at_once", [False, True])
def test_what_happens_between_two_pages_is_neither_told_twice_nor_left_out(
    maria: Client, cast: Cast, clock: Clock, at_once: bool
) -> None:
    """Also where everything happens in one moment."""
    if at_once:
        clock.stop()
    _numbered(cast, range(120))
    everything = _who(maria.get("/activity/"))
    page, seen = maria.get("/activity/"), list[str]()
    for turn in range(10):
        seen += _who(page)
        _numbered(cast, range(1000 + turn * 60, 1000 + turn * 60 + 60))
        if not (older := _turn(page, "next")):
            break
        page = maria.get(f"/activity/{older}")
    assert seen[:50] == everything
    assert seen[:120] == [str(number) for number in reversed(range(120))]
    assert len(seen) == len(set(seen)) == 121, "and that she claimed"


def test_one_turns_back_by_the_same_pages_to_the_newest(maria: Client, cast: Cast) -> None:
    _numbered(cast, range(160))
    first = maria.get("/activity/")
    second = maria.get(f"/activity/{_turn(first, 'next')}")
    third = maria.get(f"/activity/{_turn(second, 'next')}")
    assert _turn(first, "prev") == ""
    assert _who(maria.get(f"/activity/{_turn(third, 'prev')}")) == _who(second)
    _numbered(cast, range(200, 203))
    back = maria.get(f"/activity/{_turn(second, 'prev')}")
    assert _who(back) == _who(first)
    newest = maria.get(f"/activity/{_turn(back, 'prev')}")
    assert _who(newest)[:4] == ["202", "201", "200", "159"]
    assert (len(_who(newest)), _turn(newest, "prev")) == (50, "")


@pytest.mark.parametrize("place", ["2", "x", "9" * 17 + "-1", "1-9999", "-1-1", "１-1", "1-1\n"])
@pytest.mark.parametrize("towards", ["before", "after"])
def test_a_place_that_is_none_is_no_error(maria: Client, cast: Cast, place: str, towards: str) -> None:
    assert maria.get("/activity/", {towards: place}).status_code == 200


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
