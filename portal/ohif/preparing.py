"""OHIF made fit to be served from here: without what it need not have, at an address of its own, small.

It was built for the root of a site. Where its makers wrote that down, the place of the script itself is put; should a
later version write it elsewhere, or more often, that is an error and not a blank page.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Final

import rjsmin

DIST: Final = "package/dist/"
LICENCE: Final = "package/LICENSE"
PRUNED: Final = (
    *("ort/", "dicom-microscopy-viewer/", "customizations/", "assets/apple-touch-startup"),
    *("sw.js", "init-service-worker.js", "google.js", "oidc-client.min.js", "es6-shim.min.js", "polyfill.min.js"),
    *("silent-refresh.html", "_headers", "_redirects", "serve.json", "app-config.js", "index.html"),
)
"""What asks others for code, serves what we have not, or is megabytes for what nobody does here."""

AT_ROOT: Final = b'__webpack_require__.p = "/"'
AT_SCRIPT: Final = (
    b'__webpack_require__.p = (typeof document !== "undefined" && document.currentScript '
    b'? document.currentScript.src : self.location.href).replace(/[^/]*$/, "")'
)
SCRIPTS_AT_ROOT: Final = 8
FONT_AT_ROOT: Final = re.compile(rb"url\(/([0-9a-f]+\.woff2)\)")
FONTS_AT_ROOT: Final = 5
PACKED: Final = frozenset({".js", ".css", ".wasm", ".svg", ".json"})
LEAST_PACKED: Final = 1024
ENTRY: Final = "lightbox.json"


class Unfit(Exception):
    """The package is not built as it was when this was written."""


def prepare(tarball: Path, target: Path) -> None:
    """Unpack, prune, patch, minify and gzip into `target`, which is there whole or not at all. Raises Unfit."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _unpack(tarball, folder)
        _move_scripts(folder)
        _move_fonts(folder)
        for script in folder.glob("*.js"):
            script.write_text(rjsmin.jsmin(script.read_text("utf-8")), "utf-8")
        _note_entry(folder)
        for file in sorted(folder.rglob("*")):
            _pack(file)
        folder.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(tarball: Path, folder: Path) -> None:
    with tarfile.open(tarball) as package:
        for name, member in _wanted(package):
            source = package.extractfile(member)
            if source is not None:
                place = folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(source.read())


def _wanted(package: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for member in package:
        name = "LICENSE" if member.name == LICENCE else member.name.removeprefix(DIST)
        is_inside = member.name.startswith(DIST) or member.name == LICENCE
        is_safe = member.isfile() and ".." not in PurePosixPath(name).parts
        if is_inside and is_safe and not name.startswith(PRUNED) and not name.endswith(".map"):
            yield name, member


def _move_scripts(folder: Path) -> None:
    moved = 0
    for script in folder.glob("*.js"):
        content = script.read_bytes()
        if found := content.count(AT_ROOT):
            script.write_bytes(content.replace(AT_ROOT, AT_SCRIPT))
            moved += found
    if moved != SCRIPTS_AT_ROOT:
        raise Unfit(f"{moved} scripts say where they are, not {SCRIPTS_AT_ROOT}.")


def _move_fonts(folder: Path) -> None:
    style = folder / "app.bundle.css"
    content, moved = FONT_AT_ROOT.subn(rb"url(\1)", style.read_bytes())
    if moved != FONTS_AT_ROOT:
        raise Unfit(f"{moved} fonts are named by their place, not {FONTS_AT_ROOT}.")
    style.write_bytes(content)


def _note_entry(folder: Path) -> None:
    scripts = [script.name for script in folder.glob("app.bundle.*.js")]
    if len(scripts) != 1:
        raise Unfit(f"There are {len(scripts)} scripts to begin with, not one.")
    (folder / ENTRY).write_text(json.dumps({"script": scripts[0], "style": "app.bundle.css"}), "utf-8")


def _pack(file: Path) -> None:
    """A packed copy beside it, which WhiteNoise gives to browsers that unpack it."""
    if file.suffix in PACKED and file.stat().st_size >= LEAST_PACKED:
        packed = gzip.compress(file.read_bytes(), 9, mtime=0)
        file.with_name(f"{file.name}.gz").write_bytes(packed)
