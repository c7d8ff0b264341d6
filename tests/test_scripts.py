"""static/js/code.js agrees with sharing/codes.py, symbol for symbol, in a real browser."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

TESTS = Path(__file__).resolve().parent
CODE = TESTS.parent / "static" / "js" / "code.js"
ASK = """async ([address, vectors]) => {
  const { tidy, isWhole, grouped } = await import(address);
  return {
    tidy: vectors.tidy.map(({ text }) => tidy(text)),
    whole: vectors.whole.map(({ symbols }) => isWhole(symbols)),
    grouped: ['', 'K7QM', 'K7QM2', 'K7QM2XPA09ZD4'].map(grouped),
  };
}"""


def test_the_browser_reads_codes_as_the_server_does(chromium: str) -> None:
    vectors: dict[str, Any] = json.loads((TESTS / "sharing" / "code_vectors.json").read_text())
    address = "data:text/javascript;base64," + base64.b64encode(CODE.read_bytes()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        heard = browser.new_page().evaluate(ASK, [address, vectors])
        browser.close()
    assert heard == {
        "tidy": [one["symbols"] for one in vectors["tidy"]],
        "whole": [one["whole"] for one in vectors["whole"]],
        "grouped": ["", "K7QM", "K7QM-2", "K7QM-2XPA-09ZD-4"],
    }
