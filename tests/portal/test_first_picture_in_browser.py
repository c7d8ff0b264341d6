"""From the desk to the first picture, in Chromium: the clerk, the newcomer on a phone, and every page between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django import Settings

from accounts.audit import Actor
from accounts.models import Facility, Membership
from sharing import cases, claims, codes, consents, contacts, releases, rules
from sharing.models import Case, ClaimCode, Consent, Link, Notice
from studies.models import FacilityPatient
from tests.cast import Cast, a_patient, a_study
from tests.portal.published import Published, publish_for
from tests.portal.test_desk_in_browser import browsing, server, session_of, signed_in
from tests.portal.test_lending_in_browser import DESK, PHONE, Counting, look

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = Actor.nobody()


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    """An exam with pictures of somebody who has not claimed."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    Facility.objects.update(phone="+1 555 0142", hours="Monday to Friday, 8 to 18")
    made = publish_for(cast)
    Link.objects.filter(patient=made.study.patient).delete()
    return made


def issued(patient: FacilityPatient) -> str:
    code, _ = claims.issue(patient, actor=Actor.system())
    releases.release_ready(patient, actor=Actor.system())
    return code


@pytest.mark.parametrize("by", ["touch", "keyboard"])
def test_a_newcomer_on_a_phone_comes_from_her_link_to_the_first_picture(
    cast: Cast, server: Any, chromium: str, published: Published, by: str
) -> None:
    """At most twelve interactions and six fields, the account included."""
    code = issued(published.study.patient)
    hers, fields = Counting(), 0
    with browsing(chromium) as browser:
        phone = browser.new_context(**PHONE).new_page()
        phone.goto(f"{server.url}{reverse('claim')}#{codes.tidy(code)}")
        expect(phone.get_by_role("heading", name="See my images")).to_be_visible()
        assert "#" not in phone.url
        look(phone, "start")
        answers = {"Day": "17", "Year": "1980"}
        for label, text in answers.items():
            hers.fill(phone.get_by_label(label, exact=True), text)
        hers.count += 1
        phone.get_by_label("Month", exact=True).select_option("5")
        fields += 3
        go_on = phone.get_by_role("button", name="Go on")
        hers.count += 1
        go_on.tap() if by == "touch" else go_on.press("Enter")
        expect(phone.get_by_role("heading", name="Lakeside Imaging has exams for you")).to_be_visible()
        look(phone, "start-account")
        for label, text in {
            "Your name": "Nora",
            "E-mail": f"{by}@example.org",
            "Choose": "a long and quiet winter",
        }.items():
            hers.fill(phone.get_by_label(label), text)
            fields += 1
        make = phone.get_by_role("button", name="Make my account and show the images")
        hers.count += 1
        make.tap() if by == "touch" else make.press("Enter")
        expect(phone.get_by_role("heading", level=1)).to_contain_text("CT")
        look(phone, "study-unproved")
        pictures = phone.get_by_role("link", name="Look at the pictures")
        hers.count += 1
        pictures.tap() if by == "touch" else pictures.press("Enter")
        phone.locator("canvas").first.wait_for()
    assert hers.count <= 12
    assert fields <= 6


def test_a_clerk_finds_confirms_and_prints_in_six(cast: Cast, server: Any, chromium: str, published: Published) -> None:
    patient, clerk = published.study.patient, Counting()
    session = session_of(cast.tom)
    with browsing(chromium) as browser:
        page = signed_in(browser, server, session, **DESK)
        page.goto(server.url + reverse("desk"))
        clerk.fill(page.get_by_label("Name, MRN, accession number or date of birth"), patient.patient_id)
        clerk.click(page.get_by_role("button", name="Find"))
        expect(page.get_by_text("No code has been handed out.")).to_be_visible()
        assert clerk.count <= 3, "why not is answered"
        look(page, "desk-patient")
        clerk.click(page.get_by_role("link", name="Hand out a code"))
        clerk.click(page.get_by_label("Passport"))
        clerk.click(page.get_by_role("button", name="They agree: print the code"))
        expect(page.get_by_role("heading", name="Your images, in your hands")).to_be_visible()
    assert clerk.count <= 6
    assert ClaimCode.objects.filter(patient=patient).exists()


@pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_of_the_desk_is_for_everybody(
    cast: Cast, server: Any, chromium: str, published: Published, device: dict[str, Any]
) -> None:
    """By axe, and never wider than the screen."""
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    patient = published.study.patient
    contacts.keep(patient, email="home@example.org", phone="", language="es", actor=NOBODY)
    about = {"patient": patient, "kind": "exam", "channel": "email", "message_id": published.study.pk}
    Notice.objects.create(state=Notice.State.BOUNCED, trouble="5.1.1", **about)
    a_patient(cast.lakeside, patient_id="NEW-1", name="ZEBRAFISH^LUZ")
    said = "I was promised the report for Monday."
    case = cases.open_case(Case.Kind.PROBLEM, cast.patient, actor=NOBODY, user=cast.maria, text=said)
    asks = cases.open_case(Case.Kind.CODE, patient, actor=NOBODY)
    why = "Your doctor would like to talk to you first."
    rule = rules.make(cast.lakeside, actor=NOBODY, modality="MG", images="when_final", reason=why)
    consents.write(cast.lakeside, "My images are put on-line for me.", lasts_days=365, actor=NOBODY)
    a_study(cast.patient, description="Not released")
    session, places = (
        session_of(cast.tom),
        {
            "desk": reverse("desk"),
            "desk-today": reverse("desk_today"),
            "desk-questions": reverse("desk_questions"),
            "desk-question": reverse("desk_question", args=[case.pk]),
            "desk-question-code": reverse("desk_question", args=[asks.pk]),
            "desk-contact": reverse("desk_contact", args=[patient.pk]),
            "desk-undo": reverse("desk_undo", args=[cast.patient.pk]),
            "desk-opening": reverse("desk_opening"),
            "desk-consent": reverse("desk_consent"),
            "desk-reaching": reverse("desk_reaching"),
            "desk-code": reverse("desk_code", args=[patient.pk]),
            "desk-claimed": reverse("desk_patient", args=[cast.patient.pk]),
        },
    )
    assert rule.pk
    with browsing(chromium) as browser:
        page = signed_in(browser, server, session, **device)
        for name, place in places.items():
            page.goto(server.url + place)
            look(page, name)


@pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_of_a_patient_between_is_for_everybody(
    cast: Cast, server: Any, chromium: str, published: Published, device: dict[str, Any]
) -> None:
    """By axe, and never wider than the screen."""
    code = issued(published.study.patient)
    ClaimCode.objects.update(wrong_tries=claims.LIFETIME_CAP)
    case = cases.open_case(Case.Kind.PROBLEM, cast.patient, actor=NOBODY, user=cast.maria, text="?", study=cast.study)
    cases.answer(case, "It came today.", user=cast.tom, actor=NOBODY)
    text = consents.write(cast.lakeside, "My images are put on-line for me.", lasts_days=365, actor=NOBODY)
    agreed = Consent.Method.SIGNED
    with transaction.atomic():
        consents.give(cast.patient, text, agreed, later_too=True, user=cast.tom, actor=NOBODY)
    rules.make(cast.lakeside, actor=NOBODY, images="after", images_hours=72, reason="Your doctor calls you first.")
    releases.release(a_study(cast.patient), actor=NOBODY)
    places = {
        "home-held": reverse("home"),
        "ask-facility": reverse("ask_facility", args=[cast.study.pk]),
        "my-questions": reverse("questions"),
        "my-consents": reverse("consents"),
        "not-me": reverse("not_me"),
        "claim": reverse("claim"),
    }
    session = session_of(cast.maria)
    with browsing(chromium) as browser:
        page = signed_in(browser, server, session, **device)
        for name, place in places.items():
            page.goto(server.url + place)
            look(page, name)
        stranger = browser.new_context(**device).new_page()
        stranger.goto(f"{server.url}{reverse('claim')}")
        look(stranger, "sign-in-with-code")
        stranger.goto(f"{server.url}{reverse('start')}")
        stranger.get_by_label("Code").fill(code)
        stranger.get_by_label("Day", exact=True).fill("17")
        stranger.get_by_label("Month", exact=True).select_option("5")
        stranger.get_by_label("Year", exact=True).fill("1980")
        stranger.get_by_role("button", name="Go on").click()
        expect(stranger.get_by_role("heading", name="This code is locked")).to_be_visible()
        look(stranger, "code-dead")
        stranger.get_by_role("button", name="Ask for a new code").click()
        expect(stranger.get_by_role("heading", name="They have been asked")).to_be_visible()
        look(stranger, "code-asked")
    assert Case.objects.filter(kind=Case.Kind.CODE).count() == 1
