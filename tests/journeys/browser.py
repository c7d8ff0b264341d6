"""A person at a real browser: Debian's Chromium, a window size, and axe on every page she comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.journeys.conftest import Site, eventually

PHONE = (360, 740)
DESK = (1280, 900)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
KEYS = {"Tab", "Enter", "Escape", "ArrowRight"}
NAME_OF_FOCUSED = """() => {
  const focused = document.activeElement;
  return focused.ariaLabel ?? [...(focused.labels ?? []), focused].map((one) => one.textContent).join(' ');
}"""
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
        self.control(name).click()
        self.page.wait_for_load_state("networkidle")
        self.look()

    def control(self, name: str) -> Locator:
        """A button or link by its name; one in the page itself before one in its header."""
        for part in (self.page.get_by_role("main"), self.page.locator("body")):
            found = part.get_by_role("button", name=name).or_(part.get_by_role("link", name=name))
            if found.count():
                break
        return found.first

    def touch(self, name: str) -> None:
        """Press by finger what leads nowhere else."""
        self.control(name).tap()

    def tab_to(self, name: str) -> None:
        """Press Tab until the field, button or link with this name has the focus, and shows that it has."""
        for _ in range(40):
            self.page.keyboard.press("Tab")
            focused = self.page.locator(":focus")
            if focused.count() and name in self.page.evaluate(NAME_OF_FOCUSED):
                expect(focused, f"{name} shows the focus").not_to_have_css("outline-style", "none")
                return
        raise AssertionError(f"Tab does not reach “{name}” on {self.page.url}")

    def type(self, *keys: str) -> None:
        """Words and keys, as they come from a keyboard."""
        for key in keys:
            if key in KEYS:
                self.page.keyboard.press(key)
            else:
                self.page.keyboard.type(key)

    def arrive(self, heading: str) -> None:
        """Wait for the page with this heading, and look at it."""
        expect(self.page.get_by_role("heading", name=heading, level=1)).to_be_visible()
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
def browsing(chromium: str) -> Iterator[Browser]:
    """A browser for everybody in a journey."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visitor(site: Site, browser: Browser, size: tuple[int, int], *, touch: bool = False) -> Iterator[Visitor]:
    """A window with cookies of its own; whatever its console complains of fails the journey."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=touch, locale="en-US")
    person = Visitor(site, context.new_page())
    person.page.on("console", lambda line: person.complaints.append(line.text) if line.type == "error" else None)
    person.page.on("pageerror", lambda error: person.complaints.append(str(error)))
    yield person
    context.close()
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
