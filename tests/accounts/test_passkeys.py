"""Passkeys in a real browser, under the real Content-Security-Policy, with an authenticator that Chromium plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts import factors
from accounts.models import User
from tests.cast import PASSWORD, Cast, person

pytestmark = pytest.mark.django_db(transaction=True)

# Playwright keeps an event loop in the test's thread; the site itself runs in another one.
ASYNC_UNSAFE = ("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def newcomer(transactional_db: None, cast: Cast) -> User:
    """Somebody new at Lakeside's desk, without a second factor."""
    user = person("nils@example.org", staff_of=cast.lakeside)
    Authenticator.objects.filter(user=user).delete()
    return user


@pytest.fixture
def page(chromium: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page of a phone's width whose device has a fingerprint reader; it may not break a rule of the policy."""
    monkeypatch.setenv(*ASYNC_UNSAFE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=live_server.url, viewport={"width": 360, "height": 740})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(error.message))
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        yield page
        browser.close()
    assert complaints == []


def _password(page: Page, user: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _add(page: Page, *, alone: bool) -> None:
    """From the page that asks for a second step to the recovery codes and home."""
    page.get_by_role("link", name="Use this device or a security key").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Let it sign me in alone").set_checked(alone)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_role("link", name="My images")).to_have_attribute("aria-current", "page")


def _sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.locator("main").get_by_role("button", name="Sign out").click()


def test_a_passkey_is_set_up_and_signs_in_alone(page: Page, newcomer: User) -> None:
    _password(page, newcomer)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    _add(page, alone=True)
    assert factors.of(newcomer).passkeys == 1
    _sign_out(page)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def test_a_security_key_is_the_second_step_after_the_password(page: Page, newcomer: User) -> None:
    _password(page, newcomer)
    _add(page, alone=False)
    _sign_out(page)
    _password(page, newcomer)
    expect(page.get_by_role("heading", name="The second step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey or security key").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()
    # The same key proves once more who it is before it is removed.
    page.goto("/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("link", name="Use a security key").click()
    page.get_by_role("button", name="Use my passkey").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    assert factors.missing(newcomer)


def test_a_device_without_a_passkey_for_this_site_says_so(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("That did not work, or it was cancelled.")).to_be_visible(timeout=10_000)
