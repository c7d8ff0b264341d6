"""OHIF in a real browser, over 10 Mbit/s and 50 ms: when is the first picture there, the first time and again?

    python -m bench.ohif [--rounds 5] [--slices 60] [--chromium /usr/bin/chromium]

Counted from the click to the first picture on the canvas, the page's redirect and OHIF's own start within. "Cold" is a
browser that has never been here, "warm" the same one afterwards, in a new tab; the second time it has compiled what
it keeps. Its WebGL is drawn by the processor, as
on a machine without a graphics card.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, Playwright, sync_playwright

from bench.corpus import Study, chest
from bench.site import Lightbox
from bench.viewing import LINE, print_rounds
from portal.ohif import installed

WITH_WEBGL: Final = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SIZE: Final = {"width": 1280, "height": 760}
PATIENCE: Final = 120_000  # milliseconds
# Looks every twentieth of a second whether something is drawn, and says when, from the beginning of the navigation.
SEEN: Final = """() => new Promise((seen) => {
const copy = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const look = () => {
  const canvas = document.querySelector('.viewport-element canvas, canvas.cornerstone-canvas');
  if (canvas && canvas.width) {
    copy.drawImage(canvas, 0, 0, 64, 64);
    const lit = copy.getImageData(0, 0, 64, 64).data.filter((value, at) => at % 4 < 3 && value > 40).length;
    if (lit > 200) return seen(performance.now());
  }
  setTimeout(look, 50);
};
look(); })"""
CAME: Final = """() => performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0) / 1e6"""


def main() -> int:
    """Publish a CT, open it some times in new browsers, and print what was seen."""
    options = _options()
    if installed.entry() is None:
        print("OHIF is not installed: make ohif", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder, sync_playwright() as playwright:
        site = Lightbox(Path(folder))
        try:
            site.prepare()
            study = chest(options.slices)
            site.send(study.requests(25))
            site.wait_for(study)
            rounds = [_round(playwright, options.chromium, site, study) for _ in range(options.rounds)]
            print_rounds(f"OHIF, CT of {options.slices}", rounds)
        finally:
            site.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.ohif", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    return parser.parse_args()


def _round(playwright: Playwright, chromium: str, site: Lightbox, study: Study) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=WITH_WEBGL,
            viewport=SIZE,  # type: ignore[arg-type]
        )
        cookies: list[Any] = [
            dict(zip(("name", "value"), pair.split("=", 1), strict=True)) | {"url": f"http://127.0.0.1:{site.port}"}
            for pair in site.looking["Cookie"].split("; ")
        ]
        context.add_cookies(cookies)
        address = f"http://127.0.0.1:{site.port}/viewer/?StudyInstanceUIDs={study.uid}"
        seen = {name: _open(context, address) for name in ("cold", "warm", "warm again")}
        context.close()
    return {f"{what}, {name}": value for name, found in seen.items() for what, value in found.items()}


def _open(context: BrowserContext, address: str) -> dict[str, float]:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", LINE)
    page.goto(address, wait_until="commit")
    found = {"first picture, s": page.evaluate(SEEN) / 1000, "came over the line until then, MB": page.evaluate(CAME)}
    page.close()
    return found


if __name__ == "__main__":
    raise SystemExit(main())
