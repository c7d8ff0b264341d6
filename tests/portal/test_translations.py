"""Spanish: every sentence of the desk, the sheet and the way from it to the images, with the same gaps to fill in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from portal.translations import compile_translations

ROOT = Path(__file__).resolve().parent.parent.parent
SPANISH = ROOT / "locale/es/LC_MESSAGES/django.po"
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None, "ngettext": (1, 2), "ngettext_lazy": (1, 2)}
TRANSLATED = [
    *sorted((ROOT / "templates/desk").glob("*.html")),
    *sorted((ROOT / "templates/sharing").rglob("*.*")),
    *(
        ROOT / "templates" / f"{name}.html"
        for name in (
            "base",
            "portal/landing",
            "account/login",
            "account/signup",
            "account/confirm_email_verification_code",
            "ui/birth_date",
            "portal/home",
            "errors/refusal",
            "portal/report",
            "portal/study",
            "portal/viewer",
            "ui/report",
            "ui/report_body",
            "ui/report_pages",
            "ui/report_sheet",
            "ui/report_value",
        )
    ),
    *sorted((ROOT / "sharing").glob("*.py")),
    *sorted((ROOT / "sharing/views").glob("*.py")),
    *sorted((ROOT / "portal/desk").glob("*.py")),
    *sorted((ROOT / "portal/quarantine").glob("*.py")),
    *sorted((ROOT / "studies/quarantine").glob("*.py")),
    *(
        ROOT / f"{name}.py"
        for name in (
            "accounts/forms",
            *("studies/words", "studies/refusals", "studies/documents/trees", "studies/exam/telling"),
        )
    ),
]
GAPS = re.compile(r"%\(\w+\)s|\{\w+\}")

Message = str | tuple[str, ...]


def messages(path: Path) -> Iterator[Message]:
    """What a source file gives to be translated; plurals as pairs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".html", ".txt"):
        text = "\n".join(line.strip() for line in templatize(text, origin=path.name).splitlines())
    for _line, _function, found, _comments in extract_python(
        BytesIO(text.encode()), KEYWORDS, [], {"encoding": "utf-8"}
    ):
        said: Any = found  # a string, or for plurals a sequence with gaps; its stub knows of neither
        words = said if isinstance(said, str) else tuple(word for word in said or () if word)
        if words:
            yield words


def first(message: Message | list[str]) -> str:
    """By what a catalog finds it: a plural by its singular."""
    return message if isinstance(message, str) else message[0]


@pytest.fixture(scope="module")
def spanish() -> Catalog:
    with SPANISH.open("rb") as text:
        return read_po(text, locale="es", abort_invalid=True)


def test_the_extraction_finds_what_templates_and_modules_say() -> None:
    assert "Withdraw…" in messages(ROOT / "templates/desk/exam.html")
    assert ("%(count)s picture", "%(count)s pictures") in messages(ROOT / "templates/desk/exam.html")
    assert "No report yet" in messages(ROOT / "portal/desk/rows.py")


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_has_its_spanish(path: Path, spanish: Catalog) -> None:
    missing = []
    for message in messages(path):
        known = spanish.get(first(message))
        said = known.string if known else ""
        if not all(said if isinstance(said, tuple) else (said,)):
            missing.append(message)
    assert missing == []


def test_every_translation_has_the_gaps_of_its_sentence(spanish: Catalog) -> None:
    for known in spanish:
        ids, strings = ((part,) if isinstance(part, str) else tuple(part or ()) for part in (known.id, known.string))
        for one in strings if known.id else ():
            assert set(GAPS.findall(one)) == set(GAPS.findall(ids[-1])), one


def test_no_translation_is_left_over_or_unsure(spanish: Catalog) -> None:
    sources = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]
    sources += [path for app in ("accounts", "studies", "sharing", "portal") for path in (ROOT / app).rglob("*.py")]
    said = {first(message) for path in sources for message in messages(path)}
    assert {first(known.id) for known in spanish if known.id} - said == set()
    assert [known.id for known in spanish if known.fuzzy and known.id] == []
    assert list(spanish.obsolete) == []


def test_the_site_speaks_spanish() -> None:
    with translation.override("es"):
        assert translation.gettext("Enter your code") == "Introduzca su código"


def test_a_translation_is_compiled_once_and_again_when_it_changes(tmp_path: Path) -> None:
    po = tmp_path / "locale/es/LC_MESSAGES/django.po"
    po.parent.mkdir(parents=True)
    po.write_text('msgid "yes"\nmsgstr "sí"\n', encoding="utf-8")
    mo = tmp_path / "data/es/LC_MESSAGES/django.mo"
    compile_translations(tmp_path / "locale", tmp_path / "data")
    first = mo.stat().st_ino
    compile_translations(tmp_path / "locale", tmp_path / "data")
    assert mo.stat().st_ino == first
    os.utime(po, ns=(0, 0))  # an older text, as in an older container
    compile_translations(tmp_path / "locale", tmp_path / "data")
    assert mo.stat().st_ino != first
    assert [path.name for path in mo.parent.iterdir()] == ["django.mo"]


def test_compiled_translations_lie_in_the_data_folder() -> None:
    assert settings.LOCALE_PATHS == [settings.DATA_DIR / "locale"]
