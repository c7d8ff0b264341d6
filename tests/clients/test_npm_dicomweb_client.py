"""npm's dicomweb-client, which OHIF speaks by, runs its own tests against a site: in a browser, as its makers do.

The package brings the tests and four files, and is fetched by npm for each run (npm/package-lock.json says which). The
tests stay as they are. They expect an archive without sign-in at an address of their own, so the page they run in
turns that into ours, with a facility's key for what they store; they look as somebody who works there, and is the
patient of the one study whose files they fetch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, sync_playwright
from pydicom import dcmread

from tests.clients.conftest import PASSWORD
from tests.journeys.conftest import Site, start_site, stop_site

pytestmark = pytest.mark.journey

HERS: Final = "QIN-HEADNECK-01-0024"
STORED_FIRST: Final = "1.3.6.1.4.1.14519.5.2.1.2744.7002.271803936741289691489150315969"
OF_NOBODY: Final = "US-PAL-8-10x-echo.dcm"
PLACE: Final = "/other-peoples-tests/"
PAGE: Final = """<!DOCTYPE html><title>Tests</title>
<script src="node_modules/jasmine-core/lib/jasmine-core/jasmine.js"></script>
<script src="node_modules/jasmine-core/lib/jasmine-core/jasmine-html.js"></script>
<script src="node_modules/jasmine-core/lib/jasmine-core/boot0.js"></script>
<script src="node_modules/dicomweb-client/build/dicomweb-client.js"></script>
<script src="here.js"></script>
<script src="node_modules/dicomweb-client/test/test.js"></script>
<script>jasmine.getEnv().execute();</script>"""
HERE: Final = """const places = [
  ['http://localhost:8008/dcm4chee-arc/aets/DCM4CHEE/rs', location.origin + '/dicom-web'],
  ['http://localhost:9876/base/', 'node_modules/dicomweb-client/'],
];
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (method, url, ...more) {
  for (const [theirs, ours] of places) url = url.replace(theirs, ours);
  open.call(this, method, url, ...more);
  if (method.toUpperCase() === 'POST') this.setRequestHeader('Authorization', 'Bearer ' + KEY);
};
const results = [];
jasmine.getEnv().addReporter({
  specDone: ({ fullName, status, failedExpectations }) =>
    results.push([fullName, status, ...failedExpectations.map((failed) => failed.message)]),
  jasmineDone: () => { window.results = results; },
});"""


@pytest.fixture(scope="module")
def empty_site(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, for the tests count every study; nobody there holds a phone."""
    running = start_site(tmp_path_factory.mktemp("empty") / "data", services={"STAFF_MFA": "off"})
    yield running
    stop_site(running)


@pytest.fixture
def page(empty_site: Site, packages: Path, chromium: str) -> Iterator[Page]:
    """The page of the tests, at the site's own origin, signed in."""
    facility = empty_site.manage("facility", "add", "Tests of others")
    email = "clerk@example.org"
    empty_site.manage("account", "add", email, "--password", PASSWORD, "--staff", facility["slug"])
    code = empty_site.manage("claimcode", facility["slug"], HERS, "--birth-date", "1980-05-17")
    session = empty_site.sign_in(email, PASSWORD)
    assert empty_site.claim(session, code["code"], code["birth_date"]).status_code == 303
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        cookies: list[Any] = [
            {"name": name, "value": value, "url": empty_site.url} for name, value in session.cookies.items()
        ]
        page.context.add_cookies(cookies)
        page.route(f"{empty_site.url}{PLACE}**", lambda route: give(route, packages, empty_site, facility["key"]))
        page.goto(f"{empty_site.url}{PLACE}")
        yield page
        browser.close()


def give(route: Route, packages: Path, site: Site, key: str) -> None:
    """A file of the packages, or the page around them.

    One of those that are stored together comes when the one before them is ready, and hers: the next tests fetch it.
    """
    name = route.request.url.partition(PLACE)[2]
    if name == "":
        route.fulfill(body=PAGE, content_type="text/html")
    elif name == "here.js":
        route.fulfill(body=f"const KEY = {json.dumps(key)};\n{HERE}", content_type="text/javascript")
    elif name.endswith(OF_NOBODY):
        site.ready(key, STORED_FIRST)
        route.fulfill(body=with_a_patient(packages / name))
    else:
        route.fulfill(path=packages / name)


def with_a_patient(path: Path) -> bytes:
    """What names no patient is set aside, and shown to nobody: so of the one file that does it is asked whose it is."""
    dataset = dcmread(path)
    assert "PatientID" not in dataset
    dataset.PatientID = "SOMEBODY"
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_its_own_tests_pass(page: Page) -> None:
    page.wait_for_function("window.results", timeout=60_000)
    results = page.evaluate("window.results")
    assert [one for one in results if one[1] != "passed"] == []
    assert len(results) == 11
