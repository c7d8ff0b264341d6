"""OHIF in a browser over a running site: CT, JPEG 2000, a JPEG cine; and what happens when it cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright
from pydicom import dcmread
from pydicom.data import get_testdata_file

from portal.ohif import installed
from tests import factories
from tests.clients.conftest import Reader
from tests.studies.documents_made import pdf_object

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not installed.entry(), reason="OHIF is not installed (make ohif)"),
]
WITH_WEBGL = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
WITHOUT = ("--no-sandbox", "--disable-gpu", "--disable-3d-apis")
LIT = """canvas => { const copy = document.createElement('canvas'); [copy.width, copy.height] = [64, 64];
const context = copy.getContext('2d'); context.drawImage(canvas, 0, 0, 64, 64);
return context.getImageData(0, 0, 64, 64).data.filter((value, at) => at % 4 < 3 && value > 40).length; }"""


CANVAS = ".viewport-element canvas, .cornerstone-canvas"


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=WITH_WEBGL)
    yield browser
    browser.close()


def signed_in(browser: Browser, reader: Reader) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 760})
    cookies: list[Any] = [
        {"name": name, "value": value, "url": reader.site.url} for name, value in reader.session.cookies.items()
    ]
    context.add_cookies(cookies)
    return context.new_page()


def of_pydicom(reader: Reader, name: str, number: int) -> str:
    """One of pydicom's files, published for her; its Study Instance UID."""
    dataset = dcmread(str(get_testdata_file(name, download=False)))
    dataset.PatientID, dataset.StudyInstanceUID = reader.patient_id, factories.uid(number)
    dataset.update(factories.whose())
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID = f"{factories.uid(number)}.1", f"{factories.uid(number)}.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = BytesIO()
    dataset.save_as(out)
    reader.published([out.getvalue()], factories.uid(number))
    return factories.uid(number)


def a_ct(reader: Reader) -> str:
    reader.published(factories.ct_series(5, study=8300, size=64, PatientID=reader.patient_id), factories.uid(8300))
    return factories.uid(8300)


@pytest.fixture(scope="module")
def ct(reader: Reader) -> str:
    return a_ct(reader)


def open_in(page: Page, reader: Reader, uid: str) -> None:
    page.goto(f"{reader.site.url}/viewer/?StudyInstanceUIDs={uid}")


def shows_something(page: Page) -> None:
    canvas = page.locator(CANVAS).first
    expect(canvas).to_be_visible(timeout=30_000)
    is_lit(page, canvas)


def is_lit(page: Page, canvas: Locator) -> None:
    page.wait_for_function(f"canvas => ({LIT})(canvas) > 200", arg=canvas.element_handle(), timeout=30_000)


def test_it_shows_a_ct_and_the_way_back(browser: Browser, reader: Reader, ct: str) -> None:
    page = signed_in(browser, reader)
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if "Content Security" in line.text else None)
    open_in(page, reader, ct)
    shows_something(page)
    page.get_by_role("link", name="Back to the exam").click()
    expect(page).to_have_url(f"{reader.site.url}/studies/{page.url.rstrip('/').rpartition('/')[2]}/")
    page.context.close()
    assert refused == []


def test_the_viewer_leads_to_it_and_it_shows_that_study(browser: Browser, reader: Reader, ct: str) -> None:
    """Over the base of one study, whose pictures it must tell apart by their addresses."""
    page = signed_in(browser, reader)
    mine = reader.session.get(f"{reader.site.url}/api/v1/studies/", timeout=30).json()
    (study,) = [one["id"] for one in mine if one["study_uid"] == ct]
    page.goto(f"{reader.site.url}/studies/{study}/view/")
    page.goto(f"{reader.site.url}{page.locator('a[href*=StudyInstanceUIDs]').first.get_attribute('href')}")
    shows_something(page)
    page.context.close()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("MR_small_jp2klossless.dcm", 8301),
        ("examples_ybr_color.dcm", 8302),
        ("MR_small_RLE.dcm", 8303),
        ("examples_palette.dcm", 8304),  # whose tables it fetches
    ],
)
def test_it_decodes_what_is_stored(browser: Browser, reader: Reader, name: str, number: int) -> None:
    page = signed_in(browser, reader)
    open_in(page, reader, of_pydicom(reader, name, number))
    shows_something(page)
    page.context.close()


def test_it_shows_a_pdf_of_the_exam(browser: Browser, reader: Reader) -> None:
    uid, hers = factories.uid(8310), {one.keyword: one.value for one in factories.whose()}
    letter = pdf_object(
        StudyInstanceUID=uid,
        SeriesInstanceUID=f"{uid}.9",
        SOPInstanceUID=f"{uid}.9.1",
        SeriesNumber="9",
        SeriesDescription="A letter",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        **{**hers, "PatientID": reader.patient_id},
    )
    reader.published([*factories.ct_series(3, study=8310, size=64, PatientID=reader.patient_id), letter], uid)
    page = signed_in(browser, reader)
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if "Content Security" in line.text else None)
    open_in(page, reader, uid)
    shows_something(page)
    page.get_by_text("A letter").dblclick()
    # What stands in its place until the browser's own reader of PDF does.
    expect(page.get_by_text("No online PDF viewer installed")).to_have_count(1)
    expect(page.get_by_text("No online PDF viewer installed")).to_be_hidden()
    for _ in range(100):  # the frame of that reader comes when it is ready, and nothing in the page tells
        if any(frame.url.startswith("blob:") for frame in page.frames):
            break
        page.wait_for_timeout(100)
    else:
        pytest.fail("the browser's reader shows no document")
    page.context.close()
    assert refused == []


def test_it_makes_planes_of_a_ct(browser: Browser, reader: Reader) -> None:
    uid = factories.uid(8311)
    reader.published(factories.ct_series(24, study=8311, size=64, PatientID=reader.patient_id), uid)
    page = signed_in(browser, reader)
    open_in(page, reader, uid)
    shows_something(page)
    page.locator("[data-cy=Layout]").click()
    page.get_by_text("MPR", exact=True).click()
    expect(page.locator(CANVAS)).to_have_count(3)
    for canvas in page.locator(CANVAS).all():
        is_lit(page, canvas)
    page.context.close()


def test_without_webgl_our_own_viewer_opens(playwright: Playwright, chromium: str, reader: Reader, ct: str) -> None:
    browser = playwright.chromium.launch(executable_path=chromium, args=WITHOUT)
    page = signed_in(browser, reader)
    open_in(page, reader, ct)
    page.wait_for_url("**/view/")
    expect(page.locator(".stage")).to_be_visible()
    browser.close()


def test_who_may_not_look_any_more_is_told(browser: Browser, reader: Reader, ct: str) -> None:
    page = signed_in(browser, reader)
    page.route("**/viewer/dicom-web/studies?*", lambda route: route.fulfill(status=401, body="{}"))
    open_in(page, reader, ct)
    page.wait_for_url("**/viewer/ended/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("not shown any more")
    page.context.close()


def test_its_files_are_kept_by_browsers_and_their_workers_may_decode(reader: Reader) -> None:
    entry = installed.entry()
    assert entry
    answer = reader.session.get(reader.site.url + entry.script, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "'unsafe-eval'" in answer.headers["Content-Security-Policy"]
    assert int(answer.headers["Content-Length"]) < 3_000_000


def test_its_licence_lies_beside_it() -> None:
    assert "MIT" in Path(installed.FOLDER / "LICENSE").read_text()
