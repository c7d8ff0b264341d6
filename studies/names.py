"""Names of people: DICOM's PN (PS3.5 §6.2.1) as a list shows it, and folded so that it is found however it is typed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from studies.values import person_name

# Letters that Unicode does not take apart into a plain one and its accent.
_PLAIN: Final = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_INSIDE: Final = re.compile(r"['’ʼ`]")  # O'Brien is one word, Garcia-Lopez two
_BETWEEN: Final = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """The words of a name, or of what somebody looks for, without case and accents, each behind a space.

    "García-López^Ana" is " garcia lopez ana": whoever's words begin with what is typed is found by `contains`.
    """
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(_PLAIN)
    words = _BETWEEN.sub(" ", _INSIDE.sub("", plain)).split()
    return "".join(f" {word}" for word in words)


def listed(pn: str) -> str:
    """A PN as a list shows it, family name first: "Garcia Lopez, Maria"."""
    family, given = parts_of(pn)
    return ", ".join(part for part in (family, given) if part) or person_name(pn)


def initials(pn: str) -> str:
    """Enough to tell sheets of paper apart, and no name: "M. G.", as it is spoken."""
    family, given = parts_of(pn)
    letters = [part[0].upper() for part in (given, family) if part]
    return " ".join(f"{letter}." for letter in letters)


def pn_of(family: str, given: str) -> str:
    """A PN from what a form asks; its own separators are taken out of the parts."""
    family, given = (" ".join(re.sub(r"[\^=\\]", " ", part).split()) for part in (family, given))
    return f"{family}^{given}".rstrip("^")


def parts_of(pn: str) -> tuple[str, str]:
    """Family and given name of a PN's alphabetic group."""
    alphabetic = pn.partition("=")[0]
    family, given = ([part.strip() for part in alphabetic.split("^")] + [""])[:2]
    return family, given
