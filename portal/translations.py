"""Translations: committed as `.po` texts, compiled here into the data folder, whenever they have changed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def compile_translations(source: Path, target: Path) -> None:
    """Compile every `<language>/LC_MESSAGES/*.po` below `source` to its `.mo` below `target`.

    Each takes over its text's time and is current while both have the same; images of containers date everything
    alike, so "newer" would not do. Several processes may do this at once: each puts a whole file in place.
    """
    for po in sorted(source.glob("*/LC_MESSAGES/*.po")):
        mo = (target / po.relative_to(source)).with_suffix(".mo")
        if not mo.exists() or mo.stat().st_mtime_ns != po.stat().st_mtime_ns:
            _compile(po, mo)


def _compile(po: Path, mo: Path) -> None:
    mo.parent.mkdir(parents=True, exist_ok=True)
    dated = po.stat()
    with po.open("rb") as text:
        catalog = read_po(text, locale=po.parent.parent.name, abort_invalid=True)
    handle, draft = tempfile.mkstemp(dir=mo.parent, prefix=".")
    with os.fdopen(handle, "wb") as compiled:
        write_mo(compiled, catalog)
    os.utime(draft, ns=(dated.st_atime_ns, dated.st_mtime_ns))
    Path(draft).replace(mo)
