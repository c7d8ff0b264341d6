"""The direction of imports is a test, not a hope; and pydicom meets foreign bytes in few rooms only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["accounts", "studies", "sharing", "portal"]
PIXEL_LIBRARIES = {"pydicom", "numpy", "PIL", "imagecodecs", "pypdfium2"}
# Modules that may import a pixel library: they run in the sandbox, or make phantoms of our own.
PIXEL_ROOMS = {
    "studies/dicom/",
    "studies/rendering/",
    "studies/documents/contents.py",
    "studies/documents/structured.py",
    "studies/documents/pages.py",
    "studies/takehome/directory_records.py",
    *(f"portal/demo/{name}.py" for name in ("drawing", "anatomy", "head", "flat", "phantoms")),
}

VIEWS = [*ROOT.glob("*/views/*.py"), *ROOT.glob("*/views.py"), *ROOT.glob("portal/*/views.py")]


def imports(path: Path) -> Iterator[str]:
    """Top-level names of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("app", ORDER)
def test_imports_point_one_way(app: str) -> None:
    above = ORDER[ORDER.index(app) + 1 :]
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / app).rglob("*.py")
        for name in imports(path)
        if name in above
    ]
    assert upward == []


def test_the_gateway_stands_alone() -> None:
    """Of the portal it knows how a file is walked through and how bytes are sealed, and nothing that knows Django."""
    known = {"studies.receiving.part10", "studies.store", "studies.store.sealing"}
    strange = {
        name
        for path in (ROOT / "gateway").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for name in [node.module]
        if name.partition(".")[0] in {*ORDER, "django", "tests"} and name not in known
    }
    assert strange == set()


def test_settings_are_read_through_django_everywhere_but_in_portal() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for app in ORDER[:3]
        for path in (ROOT / app).rglob("*.py")
        if "os.environ" in path.read_text(encoding="utf-8") and "sandbox" not in path.parts
    ]
    assert readers == []


def test_pixel_libraries_stay_in_their_rooms() -> None:
    users = {
        str(path.relative_to(ROOT))
        for app in ORDER
        for path in (ROOT / app).rglob("*.py")
        if PIXEL_LIBRARIES & set(imports(path))
    }
    assert {user for user in users if not user.startswith(tuple(PIXEL_ROOMS))} == set()


def test_views_neither_query_nor_open_transactions() -> None:
    wordy = [
        str(path.relative_to(ROOT))
        for path in VIEWS
        if ".objects" in (text := path.read_text(encoding="utf-8")) or "transaction" in text
    ]
    assert wordy == []


def views(path: Path) -> Iterator[ast.FunctionDef]:
    """The functions of a module that a route may lead to."""
    functions = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef))
    for node in functions:
        if not node.name.startswith("_") and [one.arg for one in node.args.args][:1] == ["request"]:
            yield node


def test_every_view_says_which_methods_it_takes() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {view.name}" for path in VIEWS for view in views(path) if not view.decorator_list
    ]
    assert silent == []
