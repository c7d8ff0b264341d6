"""Is a part all of what its sender meant? Whatever can tell is asked while it passes."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest
from studies.receiving.arrivals import CANNOT_UNDERSTAND, NotTaken
from studies.receiving.multipart import Part
from studies.receiving.part10 import Surprise, Walk


class NoEnd(BadRequest):
    """An instance of which nobody can say that it is whole."""

    code = "no_end"
    message = _("This instance came without a length, and nothing shows that it is whole.")
    hint = _("Send it with a Content-Length, or as multipart/related.")


def as_announced(part: Part) -> Iterator[bytes]:
    """Yield the blocks of a part. Raises `NotTaken` when it is not as long as its own header says.

    Its boundary alone ends a part, so the others are unharmed; but these are not the bytes its sender meant.
    """
    said, size = part.headers.get("content-length", ""), 0
    for block in part.blocks():
        size += len(block)
        yield block
    if said.isascii() and said.isdigit() and int(said) != size:
        raise NotTaken(CANNOT_UNDERSTAND, "The part is not as long as its Content-Length. Correct it or leave it out.")


def to_its_pixels(part: Part) -> Iterator[bytes]:
    """Yield the blocks of an instance that ends where its connection does. Raises `NoEnd` when that tells nothing.

    Servers (Granian) report a chunked body that broke off as one that ended (b""). So the instance must reach the
    end of its pixel data, as its own lengths have it; a cut between two elements before them leaves no trace.
    """
    walk = Walk()
    for block in part.blocks():
        walk.feed(block)
        yield block
    try:
        facts = walk.finish()
    except Surprise as surprise:
        raise NoEnd from surprise
    if facts.truncated or not facts.has_pixels:
        raise NoEnd
