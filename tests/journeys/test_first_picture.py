"""A new patient at her phone: from the QR code on the sheet, over a new account, to the picture."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.journeys.browser import PHONE, browsing, mailed, visitor
from tests.journeys.conftest import Site
from tests.journeys.test_publish_to_picture import PASSWORD, Facility

pytestmark = pytest.mark.journey


def test_from_the_code_on_paper_to_the_picture(site: Site, chromium: str) -> None:
    made = site.manage("facility", "add", f"Lakeside {secrets.token_hex(3)}")
    facility = Facility(made["slug"], made["key"])
    files = factories.ct_series(12, study=12, size=256, PatientID="PHONE-1")
    assert facility.post(site, files).status_code == 200
    site.ready(facility.key, factories.uid(12))
    code = site.manage("claimcode", facility.slug, "PHONE-1")
    email = f"{secrets.token_hex(6)}@example.org"

    with browsing(chromium) as browser, visitor(site, browser, PHONE, touch=True) as patient:
        page = patient.page
        patient.go("/")
        patient.go(f"/claim/#{code['code']}")
        assert "#" not in page.url, "the code leaves the address bar"
        patient.arrive("See my images")
        expect(page.locator("[name=code]")).to_have_value(code["code"])
        patient.fill(birth_day="17", birth_month="5", birth_year="1980")
        patient.press("Go on")
        patient.fill(name="Zebra Example", email=email, password=PASSWORD)
        patient.press("Make my account and show the images")
        expect(page.get_by_role("heading", name="CT chest")).to_be_visible()
        patient.press("Type the code")
        patient.fill(code=mailed(site, email, r"\n([A-Z0-9]{3,}(?:-[A-Z0-9]+)*)\n"))
        patient.press("Confirm")
        patient.go("/")
        expect(page.get_by_role("link", name="CT chest")).to_be_visible()
        patient.press("CT chest")
        patient.press("Look at the pictures")
        expect(page.get_by_role("img", name="series 1, axial, image 6 of 12")).to_be_visible()
        patient.page.keyboard.press("ArrowRight")
        expect(page.get_by_text("7 / 12")).to_be_visible()
        patient.go(page.url.replace(site.url, "").partition("view/")[0] + "take-home/")
