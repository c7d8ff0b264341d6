"""The viewer in a real browser, over 10 Mbit/s and 50 ms: when is the first picture there, and the sixty after it?

    python -m bench.viewing [--rounds 5] [--slices 1000] [--chromium /usr/bin/chromium]

Each round is a browser that has never been here. "After the page" counts from the last byte of the HTML. Pictures that
were not there when their turn came are those of which the viewer said that it waits. Then a series of a thousand slices
is turned through from end to end, with the recorded values asked for, and the memory of the browser is read: of the
process that draws the page, less what it needed for a page without pictures.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from bench.corpus import EXAM, Study, chest
from bench.site import Lightbox
from portal.demo import phantoms
from portal.demo.phantoms import Exam

LINE: Final = {"offline": False, "latency": 50, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8}
STEPS, EACH = 59, 67  # pictures, milliseconds: as fast as a wheel turns without hurry
SIZE: Final = {"width": 360, "height": 740}

FIRST = """() => { const page = performance.getEntriesByType('navigation')[0];
const image = document.querySelector('[data-first]');
return image.decode().then(() => performance.getEntriesByName(image.src)[0].responseEnd - page.responseEnd); }"""
SCROLL = """async ([steps, each]) => {
const stage = document.querySelector('.stage'), wait = stage.querySelector('.wait');
let late = 0, blank = 0;
for (let step = 0; step < steps; step++) {
  dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  await new Promise((next) => setTimeout(next, each));
  late += !wait.hidden;
  blank += stage.querySelector('canvas').hidden && stage.querySelector('[data-first]').hidden;
}
return [late, blank]; }"""


def main() -> None:
    """Publish an exam of each kind, open each some times, and print what was seen."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder, sync_playwright() as playwright:
        site = Lightbox(Path(folder))
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            site.prepare()
            for name, study in _exams().items():
                site.send(study.requests(25))
                site.wait_for(study)
                print_rounds(name, [_round(browser, site, study) for _ in range(options.rounds)])
            print_rounds(f"CT of {options.slices}", [_memory(browser, site, options.slices)])
        finally:
            browser.close()
            site.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.viewing", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    return parser.parse_args()


def _exams() -> dict[str, Study]:
    made: dict[str, Callable[[Exam], Iterator[bytes]]] = {
        "CR": partial(phantoms.chest_xray, size=2048),
        "MG": partial(phantoms.mammogram, rows=3328, columns=2560),
        "US": partial(phantoms.heart_ultrasound, frames=60),
    }
    return {"CT": chest(60)} | {name: Study.of(list(make(EXAM))).again() for name, make in made.items()}


def _round(browser: Browser, site: Lightbox, study: Study) -> dict[str, float]:
    with _visitor(browser, site) as page:
        page.goto(f"http://127.0.0.1:{site.port}{site.page(study)}view/", wait_until="commit")
        page.wait_for_selector("[data-first]", state="attached")
        seen: dict[str, float] = {"first picture, s after the page": page.evaluate(FIRST) / 1000}
        page.wait_for_selector(".stage canvas:not([hidden])")
        if page.locator(".seek").is_visible():
            page.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', bubbles: true }))")
            late, blank = page.evaluate(SCROLL, [STEPS, EACH])
            seen |= {f"of {STEPS} scrolled cold, not there in time": late, "of them blank": blank}
        if page.locator("[data-sheet=brightness]").is_visible():
            seen["16 bits after asking for them, s"] = _brighten(page)
        return seen


def _brighten(page: Page) -> float:
    """From the first touch of the dial until the samples are there."""
    page.wait_for_load_state("networkidle")
    page.locator("[data-sheet=brightness]").click()
    with page.expect_response(lambda answer: "/pixels/" in answer.url) as asked:
        page.locator("[data-look=brightness]").fill("20")
    asked.value.finished()
    return asked.value.request.timing["responseEnd"] / 1000


def _memory(browser: Browser, site: Lightbox, slices: int) -> dict[str, float]:
    """MB of the page's process while a long series is turned through, at its highest."""
    study = chest(slices)
    site.send(study.requests(25))
    site.wait_for(study)
    with _visitor(browser, site, line=None) as page:
        address = f"http://127.0.0.1:{site.port}{site.page(study)}"
        page.goto(f"http://127.0.0.1:{site.port}/livez")
        before = _drawn_by(browser)
        page.goto(f"{address}view/")
        page.wait_for_selector(".stage canvas:not([hidden])")
        page.locator("[data-sheet=brightness]").click()
        page.locator("[data-look=brightness]").fill("20")
        seen = []
        for _ in range(slices // 20):
            page.evaluate(SCROLL, [20, 40])
            seen.append(_drawn_by(browser) - before)
    return {"memory at its highest, MB": max(seen), "memory at the end, MB": seen[-1]}


def _drawn_by(browser: Browser) -> float:
    """MB that the processes which draw pages hold by themselves, with half of what two share."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    drawing = [Path(f"/proc/{one['id']}/smaps_rollup") for one in processes if one["type"] in {"renderer", "GPU"}]
    found = [re.search(r"^Pss: +(\d+) kB", path.read_text(), re.MULTILINE) for path in drawing]
    return sum(int(one[1]) for one in found if one) / 1000


@contextmanager
def _visitor(browser: Browser, site: Lightbox, line: dict[str, Any] | None = LINE) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE, is_mobile=True, has_touch=True)  # type: ignore[arg-type]
    cookies: list[Any] = [
        dict(zip(("name", "value"), pair.split("=", 1), strict=True)) | {"url": f"http://127.0.0.1:{site.port}"}
        for pair in site.looking["Cookie"].split("; ")
    ]
    context.add_cookies(cookies)
    page = context.new_page()
    if line:
        context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)
    yield page
    context.close()


def print_rounds(name: str, rounds: list[dict[str, float]]) -> None:
    """Median, least and most of each figure."""
    for what in rounds[0]:
        values = [one[what] for one in rounds]
        print(f"{name}  {what:<44}{median(values):8.2f}  [{min(values):.2f}–{max(values):.2f}]", flush=True)


if __name__ == "__main__":
    main()
