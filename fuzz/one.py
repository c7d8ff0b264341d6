"""Fuzz one target in this process: `python -m fuzz.one TARGET [libFuzzer's options]`. It ends with the process."""

from __future__ import annotations

import sys

import atheris

WATCHED = (
    *(
        "studies.receiving.multipart",
        *("studies.receiving.part10", "studies.receiving.walking", "studies.receiving.steps"),
        *("studies.receiving.elements", "studies.receiving.pixels", "studies.receiving.inflating"),
        "studies.frames",
        "studies.store.sealing",
    ),
    *("studies.sandbox", "studies.sandbox.wire"),
)
"""The modules whose branches guide the fuzzer. Not pydicom: it is the judge, and would be slow."""

with atheris.instrument_imports(include=list(WATCHED), enable_loader_override=False):
    from fuzz.targets import TARGETS


def main() -> None:
    """Never returns."""
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
