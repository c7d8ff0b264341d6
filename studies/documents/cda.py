"""A CDA document (HL7 Clinical Document Architecture, release 2) as the same flat list as a structured report.

Only the narrative is read, for that is what its author signed: headings and text. No style sheet, no script, no
picture from elsewhere, no entity of its own making. Runs inside the sandbox only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError, XMLParser

from studies.documents.structured import LONGEST_NAME, LONGEST_TEXT, MAX_DEPTH, MAX_ITEMS, Item
from studies.refusals import NotReadable

_NEW_LINE_AFTER: Final = frozenset({"paragraph", "br", "item", "tr", "caption", "list", "table"})
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_BLANKS: Final = re.compile(r"\s+")
_STEPS: Final = ("component", "structuredBody", "section")


def read_items(content: bytes) -> list[Item]:
    """The headings and texts of the body, in order. Raises NotReadable."""
    items = [{"d": depth, **said} for depth, node in _sections(_root(content)) for said in _said(node)]
    if not items:
        raise NotReadable("unreadable")
    return items[:MAX_ITEMS]


def _root(content: bytes) -> Element:
    if b"<!DOCTYPE" in content[:4096] or b"<!ENTITY" in content:
        raise NotReadable("bomb")
    try:
        parser = XMLParser()  # noqa: S314 - without a DOCTYPE there is nothing to expand, and this is the sandbox
        parser.feed(content)
        root: Element = parser.close()
    except (ParseError, LookupError, ValueError) as error:
        raise NotReadable("unreadable") from error
    if _name(root) != "ClinicalDocument":
        raise NotReadable("unreadable")
    return root


def _sections(root: Element) -> Iterator[tuple[int, Element]]:
    pending = [(1, root)]
    while pending:
        depth, node = pending.pop()
        if _name(node) == "section":
            yield depth, node
            depth += 1
        if depth < MAX_DEPTH:
            pending += [(depth, child) for child in reversed(node) if _name(child) in _STEPS]


def _said(section: Element) -> Iterator[Item]:
    for child in section:
        if _name(child) == "title" and (title := _narrative(child)):
            yield {"k": "section", "n": " ".join(title.split())[:LONGEST_NAME]}
        if _name(child) == "text" and (words := _narrative(child)):
            yield {"k": "text", "v": words}


def _narrative(node: Element) -> str:
    """Its text; a paragraph, an item or a row on lines of their own, the cells of a row apart."""
    pieces: list[str] = []
    pending: list[tuple[Element | None, str]] = [(node, "")]
    while pending:
        element, after = pending.pop()
        if element is None:
            pieces.append(after)
            continue
        pieces.append(_BLANKS.sub(" ", element.text or ""))
        name = _name(element)
        end = "\n" if name in _NEW_LINE_AFTER else " | " if name in ("td", "th") else ""
        pending.append((None, end))
        for child in reversed(element):
            pending.append((None, _BLANKS.sub(" ", child.tail or "")))
            pending.append((child, ""))
    lines = (" ".join(line.split()).removesuffix(" |") for line in _UNSEEN.sub("", "".join(pieces)).split("\n"))
    return "\n".join(line for line in lines if line)[:LONGEST_TEXT]


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
