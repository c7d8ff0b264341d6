"""The whole loop, by everybody's own hands in Chromium: desk, facility, patient, physician, and the end of a loan.

Nothing is prepared behind the pages but a facility and its clerk. Clerk and physician set up the second factor that a
site without a demo asks of them.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from playwright.sync_api import Page, expect

from tests import factories
from tests.accounts.test_factors import code_of
from tests.journeys.browser import DESK, PHONE, Visitor, browsing, mailed, visitor
from tests.journeys.conftest import Site
from tests.journeys.test_publish_to_picture import PASSWORD, Facility
from tests.reading import read_qr

pytestmark = pytest.mark.journey

MIB = 2**20
SLICES = 128  # of half a MiB each
SLOW_LINE = 4 * MIB  # bytes a second
BORN = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}
REPORT = "FINDINGS\n\nThe lungs are clear.\n\nIMPRESSION\n\nNothing to worry about."


@pytest.fixture
def lakeside(site: Site) -> Facility:
    """A facility that patients can reach."""
    made = site.manage("facility", "add", f"Lakeside {secrets.token_hex(3)}", "--phone", "555 0142")
    return Facility(made["slug"], made["key"])


def test_a_patient_gets_her_images_lends_them_and_takes_them_back(
    site: Site, lakeside: Facility, chromium: str, tmp_path: Path
) -> None:
    with (
        browsing(chromium) as browser,
        visitor(site, browser, DESK) as clerk,
        visitor(site, browser, PHONE, touch=True) as patient,
        visitor(site, browser, DESK) as physician,
    ):
        start_work(clerk, lakeside)
        link = hand_out(clerk, tmp_path / "sheet.pdf")
        publish(site, lakeside)
        prove(patient, link)
        make_account(patient)
        look_up(clerk)
        look(patient, patient.touch)
        read(patient)
        lend(patient, address := an_address())
        accept(physician, address)
        study = open_lent(physician)
        look(physician, physician.press)
        read(physician)
        see_who_opened(patient)
        running = Download(physician.page)
        stop(patient)
        assert running.ends() <= 10.0
        find_nothing(physician, study)
        tell(patient)


def test_a_patient_claims_looks_and_turns_pictures_by_keyboard_alone(
    site: Site, lakeside: Facility, chromium: str
) -> None:
    assert lakeside.post(site, factories.ct_series(5, study=5, PatientID="KEYS-1")).status_code == 200
    site.ready(lakeside.key, factories.uid(5))
    code = site.manage("claimcode", lakeside.slug, "KEYS-1")
    email = an_address()
    site.manage("account", "add", email, "--password", PASSWORD)
    with browsing(chromium) as browser, visitor(site, browser, DESK) as patient:
        patient.go("/claim/")
        patient.tab_to("Email")
        patient.type(email, "Tab", PASSWORD, "Enter")
        patient.arrive("Enter your code")
        patient.tab_to("Code")
        patient.type(code["code"].lower(), "Tab", "17", "Tab", "May", "Tab", "1980", "Enter")
        patient.arrive("CT chest")
        patient.tab_to("Look at the pictures")
        patient.type("Enter")
        expect(patient.page.get_by_role("button", name="Play")).to_be_visible()
        patient.look()
        patient.type("ArrowRight")
        expect(patient.page.get_by_role("img", name="image 4 of 5")).to_be_visible()
        patient.tab_to("Next")
        patient.type("Enter")
        expect(patient.page.get_by_role("img", name="image 5 of 5")).to_be_visible()
        patient.page.reload()
        patient.tab_to("Back to the exam")
        patient.type("Enter")
        patient.arrive("CT chest")


# --- At the desk, and behind it


def start_work(clerk: Visitor, facility: Facility) -> None:
    """A new clerk's first day: the password alone opens nothing."""
    email = an_address()
    clerk.site.manage("account", "add", email, "--password", PASSWORD, "--staff", facility.slug)
    clerk.go("/desk/")
    clerk.fill(login=email, password=PASSWORD)
    clerk.press("Sign in")
    set_up_app(clerk)
    clerk.press("Desk")


def set_up_app(person: Visitor) -> None:
    """An authenticator app, as the page of the second factor asks for it."""
    person.press("Use an authenticator app")
    if person.page.locator("[name=password]").count():
        person.fill(password=PASSWORD)
        person.press("Go on")
    person.fill(code=code_of(person.page.locator(".to-type").text_content() or ""))
    person.press("Set up")
    expect(person.page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    person.press("I have them")


def hand_out(clerk: Visitor, pdf: Path) -> str:
    """Register somebody of whom nothing has arrived, print her sheet, and read its QR code."""
    clerk.press("Register a patient")
    clerk.fill(patient_id="LOOP-1", family="Zebrafish", given="Maria", **BORN)
    clerk.press("Go on to the code")
    clerk.page.get_by_role("radio", name="Passport").check()
    clerk.press("print the code")
    clerk.page.pdf(path=pdf, format="A4")
    return read_qr(pdf).removeprefix(clerk.site.url)


def look_up(clerk: Visitor) -> None:
    """The desk sees that the code was used and that the images are there, and opens them. One hit opens by itself."""
    clerk.press("Next person")
    clerk.fill(text="zebrafish maria")
    clerk.press("Find")
    expect(clerk.page.get_by_text("In the patient's account")).to_be_visible()
    clerk.press("CT chest")


def publish(site: Site, facility: Facility) -> None:
    """A study of 64 MiB, of noise so that it stays as large, and its report."""
    noise = np.random.default_rng(7)
    files = [
        factories.ct_file(
            number,
            study=64,
            size=512,
            PatientID="LOOP-1",
            PixelData=noise.integers(0, 4096, (512, 512), dtype="<u2").tobytes(),
        )
        for number in range(1, SLICES + 1)
    ]
    assert facility.post(site, files).status_code == 200
    report = {"study_uid": factories.uid(64), "status": "final", "text": REPORT}
    headers = {"Authorization": f"Bearer {facility.key}"}
    assert requests.post(f"{site.url}/api/v1/reports/", json=report, headers=headers, timeout=30).status_code == 201
    site.ready(facility.key, factories.uid(64))


# --- The patient at her phone


def prove(patient: Visitor, link: str) -> None:
    """The code came along with the scanned link; the birth date is hers to say, and nobody asks who she is yet."""
    patient.go(link)
    patient.arrive("See my images")
    patient.fill(**BORN)
    patient.press("Go on")


def make_account(patient: Visitor) -> None:
    """An account shows at once what was published; her address is confirmed after that, and she may lend."""
    email = an_address()
    patient.fill(name="Maria Example", email=email, password=PASSWORD)
    patient.press("Make my account and show the images")
    expect(patient.page.get_by_role("heading", name="CT chest")).to_be_visible()
    study = patient.page.url.removeprefix(patient.site.url)
    patient.press("Type the code")
    patient.fill(code=mailed(patient.site, email, r"\n([A-Z0-9]{3,}(?:-[A-Z0-9]+)*)\n"))
    patient.press("Confirm")
    patient.go(study)


def look(person: Visitor, turn: Callable[[str], None]) -> None:
    """The pictures of the study whose page is open, on to the next one by finger or by mouse, and back."""
    person.press("Look at the pictures")
    expect(person.page.get_by_role("img", name=f"image {SLICES // 2} of {SLICES}")).to_be_visible()
    turn("Next")
    expect(person.page.get_by_text(f"{SLICES // 2 + 1} / {SLICES}", exact=True)).to_be_visible()
    person.press("Back to the exam")


def read(person: Visitor) -> None:
    """The report, on a page of its own, and back."""
    person.press("Open the report")
    expect(person.page.get_by_text("The lungs are clear.")).to_be_visible()
    person.press("CT chest")


def lend(patient: Visitor, email: str) -> None:
    """To a physician without an account, read back in one sentence before it is done."""
    patient.press("Share")
    patient.fill(email=email)
    patient.page.get_by_role("checkbox", name="Download everything").check()
    patient.press("Continue")
    said = rf"{email} may see the pictures and the report of your exam “CT chest” of .+, and download them, until .+\."
    expect(patient.page.get_by_text(re.compile(said))).to_be_visible()
    patient.press("Share")
    expect(patient.page.get_by_text("Not opened yet")).to_be_visible()


def see_who_opened(patient: Visitor) -> None:
    """Who can see what, once the physician has looked: his name and when."""
    patient.press("Sharing")
    expect(patient.page.get_by_role("heading", name="Dr Luis Example, Hillside Practice")).to_be_visible()
    expect(patient.page.get_by_text("Last opened")).to_be_visible()


def stop(patient: Visitor) -> None:
    """One click."""
    patient.press("Stop")
    expect(patient.page.get_by_role("heading", name="Nobody else sees your images")).to_be_visible()


def tell(patient: Visitor) -> None:
    """The activity page, in words."""
    patient.press("Activity")
    words = " ".join(patient.page.get_by_role("main").inner_text().split())
    for said in (
        r"You claimed with a code",
        r"Staff of Lakeside \w+ looked at the pictures: “CT chest” of .+ as staff of the facility",
        r"You looked at the pictures: “CT chest”",
        r"You shared images with Dr Luis Example",
        r"Dr Luis Example.* \(\S+@\S+\) looked at the pictures: “CT chest” of .+ because you share it",
        r"Dr Luis Example.* \(\S+@\S+\) read the report",
        r"Dr Luis Example.* \(\S+@\S+\) downloaded the study",
        r"You stopped sharing with Dr Luis Example",
    ):
        assert re.search(said, words), (said, words)


# --- The physician


def accept(physician: Visitor, email: str) -> None:
    """From the letter over a new account, and its second factor, to what is lent."""
    link = mailed(physician.site, email, r"(http\S+/invitation/\S+#\S+)")
    physician.go(link.removeprefix(physician.site.url))
    physician.press("Open")
    physician.fill(name="Dr Luis Example", practice="Hillside Practice", password=PASSWORD)
    physician.press("Create account and open")
    set_up_app(physician)
    physician.press("Lent to me")


def open_lent(physician: Visitor) -> str:
    """Maria's study among what is lent; returns its path."""
    expect(physician.page.get_by_role("heading", name="Maria Example")).to_be_visible()
    physician.press("CT chest")
    return physician.page.url.removeprefix(physician.site.url)


class Download:
    """The ZIP of the study whose page is open, coming over a slow line: some of it has come when this returns."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        devtools = page.context.new_cdp_session(page)
        devtools.on("Page.downloadProgress", self._note)
        for method, arguments in (
            ("Page.enable", {}),
            ("Network.enable", {}),
            (
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": 0, "downloadThroughput": SLOW_LINE, "uploadThroughput": -1},
            ),
        ):
            devtools.send(method, arguments)
        page.get_by_role("link", name="Take home").click()
        with page.expect_download() as begun:
            page.get_by_role("link", name="Download").click()
        self.file = begun.value
        while self.received < 8 * MIB:
            page.wait_for_timeout(50)
        self.clicked_at = time.monotonic()

    def _note(self, event: dict[str, Any]) -> None:
        self.received = max(self.received, int(event["receivedBytes"]))

    def ends(self) -> float:
        """Seconds from the click until the download has failed."""
        assert self.file.failure(), "the download came to its end"
        return time.monotonic() - self.clicked_at


def find_nothing(physician: Visitor, study: str) -> None:
    """What was lent a moment ago is not there any more, by whatever address."""
    for path in ("", "view/", "report/", "manifest/", "thumbnail/", "take-home/", "download/"):
        assert physician.page.request.get(physician.site.url + study + path).status == 404, path
    physician.go("/provider/")
    expect(physician.page.get_by_role("heading", name="Nothing is lent to you")).to_be_visible()


def an_address() -> str:
    """An e-mail address that nobody has."""
    return f"{secrets.token_hex(6)}@example.org"
