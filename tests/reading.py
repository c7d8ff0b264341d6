"""A page as its reader sees it."""

from __future__ import annotations

import html
import re
from typing import Any


def words_of(answer: Any) -> str:
    """The words of a page, without its marks, single spaces between them."""
    return html.unescape(re.sub(r"(<[^>]+>|\s)+", " ", answer.content.decode()))
