"""Templates and static files: nothing inline, nothing from elsewhere, every word translatable, every pair legible."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, Token, TokenType

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
# The archive's page is opened from a folder on a disk, a letter in a mail program: no policy of ours reaches them,
# and each must be one file.
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PAGES = [path for path in TEMPLATES if path.parent.name not in ("archive", "emails")]
SCRIPTS = sorted(STATIC.rglob("*.js"))
STYLES = sorted(STATIC.rglob("*.css"))
VIEWER_BYTES, VIEWER_STYLE_BYTES = 25 * 1024, 5 * 1024

INLINE = re.compile(
    r"""\sstyle\s*= | <style\b | \son[a-z]+\s*= | javascript: | <script\b(?![^>]*\bsrc=)""", re.IGNORECASE | re.VERBOSE
)
ELSEWHERE = re.compile(r"""(?:https?:)?//[\w.-]+\.\w+""")
SPOKEN_ATTRIBUTES = {"alt", "title", "placeholder", "aria-label", "aria-description", "aria-valuetext"}
ATTRIBUTE_BLOCKS = re.compile(r"\w+_class|at_\w+")  # blocks of base.html inside a start tag
# The shape of a code, a folder of the archive, keys of the viewer.
NOT_WORDS = {"XXXX-XXXX-XXXX-X", "DICOM/", "B", "M", "R H I", "F"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def markup(path: Path) -> str:
    """A template with everything left out that Django fills in."""
    return "".join(token.contents for token in tokens(path) if token.token_type == TokenType.TEXT)


def words_apart(path: Path) -> str:
    """A template with everything left out that Django fills in, is translated, or stands within a tag's brackets."""
    kept, silent = [], [False]
    for token in tokens(path):
        tag, *rest = token.contents.split() if token.token_type == TokenType.BLOCK else [""]
        if tag in {"blocktranslate", "comment"}:
            silent.append(True)
        elif tag == "block":
            silent.append(silent[-1] or bool(ATTRIBUTE_BLOCKS.fullmatch(rest[0])))
        elif tag in {"endblocktranslate", "endcomment", "endblock"}:
            silent.pop()
        elif token.token_type == TokenType.TEXT and not silent[-1]:
            kept.append(token.contents)
    return "".join(kept)


def tokens(path: Path) -> list[Token]:
    return Lexer(path.read_text()).tokenize()


class Listener(HTMLParser):
    """Collects what a reader would see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:  # neither script nor style
            self.heard.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.heard += [value or "" for key, value in attrs if key in SPOKEN_ATTRIBUTES]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_template_has_no_inline_script_or_style(path: Path) -> None:
    assert not INLINE.findall(markup(path))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_every_word_of_a_template_is_translatable(path: Path) -> None:
    listener = Listener()
    listener.feed(words_apart(path))
    bare = [words for words in listener.heard if re.search(r"[^\W\d_]", words) and words not in NOT_WORDS]
    assert not bare


@pytest.mark.parametrize("path", [*PAGES, *SCRIPTS, *STYLES], ids=name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    assert not ELSEWHERE.findall(path.read_text())


def references() -> Iterator[tuple[Path, Path]]:
    """(who refers, the file that must exist)."""
    for page in PAGES:
        for reference in re.findall(r"""{% static ['"]([^'"]+)""", page.read_text()):
            yield page, STATIC / reference
    for script in SCRIPTS:
        for reference in re.findall(r"""^import .*from '([^']+)'""", script.read_text(), re.MULTILINE):
            yield script, (script.parent / reference).resolve()


def test_every_referenced_static_file_exists() -> None:
    missing = {f"{name(source)} → {name(target)}" for source, target in references() if not target.is_file()}
    assert not missing


def test_every_static_file_is_used() -> None:
    used = {target for _, target in references()}
    assert {path for path in STATIC.rglob("*") if path.is_file()} - used == set()


def test_the_viewer_is_small() -> None:
    scripts = (STATIC / "js" / "viewer").glob("*.js")
    assert sum(packed(path) for path in scripts) <= VIEWER_BYTES
    assert packed(STATIC / "css" / "viewer.css") <= VIEWER_STYLE_BYTES


def packed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes()))


# --- Contrast (WCAG 2.2, 1.4.3 and 1.4.11) -----------------------------------------------------------

TEXT_PAIRS = [
    *[(ink, paper) for ink in ("ink", "ink-soft") for paper in ("wash", "paper", "sunk")],
    *[(ink, paper) for ink in ("brand", "brand-strong") for paper in ("wash", "paper", "brand-wash")],
    ("on-brand", "brand"),
    ("on-brand", "brand-strong"),
    *[(tone, f"{tone}-wash") for tone in ("ok", "warn", "bad")],
    ("bad", "paper"),
]
EDGE_PAIRS = [("edge", "paper"), ("edge", "wash"), ("focus", "paper"), ("focus", "wash")]
PAIRS = [(*pair, 4.5) for pair in TEXT_PAIRS] + [(*pair, 3.0) for pair in EDGE_PAIRS]


def schemes() -> dict[str, dict[str, str]]:
    """The colours of the light and of the dark scheme, by token."""
    light, dark = (STATIC / "css" / "tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    day, night = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css)) for css in (light, dark))
    return {"light": day, "dark": day | night}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_a_pair_of_colours_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    colours = schemes()[scheme]
    dim, bright = sorted(luminance(colours[token]) for token in (front, back))
    assert (bright + 0.05) / (dim + 0.05) >= least
