"""A person at a real browser: Debian's Chromium, a window size, and axe on every page she comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.journeys.conftest import Site, eventually

PHONE = (360, 740)
DESK = (1280, 900)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@dataclass
class Visitor:
    """One browser window, and what went wrong in it."""

    site: Site
    page: Page
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Type an address."""
        self.page.goto(self.site.url + path)
        self.look()

    def press(self, name: str) -> None:
        """Press the button or follow the link with this name, and look at where it leads."""
        control = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first
        control.click()
        self.page.wait_for_load_state("networkidle")
        self.look()

    def look(self) -> None:
        """axe over the page as it is now; and nothing may stick out at the side."""
        found = Axe().run(self.page, options=RULES).response["violations"]
        where = self.page.url.removeprefix(self.site.url)
        self.complaints += [f"{where}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.complaints.append(f"{where}: {wide} px stick out")

    def fill(self, **fields: str) -> None:
        """Type into fields by their names."""
        for name, value in fields.items():
            box = self.page.locator(f"[name={name}]")
            if box.evaluate("element => element.tagName") == "SELECT":
                box.select_option(value)
            else:
                box.fill(value)


@contextmanager
def visitor(site: Site, chromium: str, size: tuple[int, int], *, touch: bool = False) -> Iterator[Visitor]:
    """A fresh browser; whatever its console complains of fails the journey."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=touch, bypass_csp=False, locale="en-US"
        )
        person = Visitor(site, context.new_page())
        person.page.on("console", lambda line: person.complaints.append(line.text) if line.type == "error" else None)
        person.page.on("pageerror", lambda error: person.complaints.append(str(error)))
        yield person
        browser.close()
    assert person.complaints == []


def mailed(site: Site, to: str, pattern: str) -> str:
    """What a letter to somebody says, by a pattern with one group; waits for the letter."""

    def look() -> str | None:
        folder: Path = site.data / "mail"
        letters = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
        for letter in (path.read_text(encoding="utf-8") for path in letters):
            if f"To: {to}" in letter and (found := re.search(pattern, letter)):
                return found.group(1)
        return None

    return eventually(look, f"a letter that matches {pattern}")
