"""The page of a link, the code on a sheet, and what a browser sees after it opened one."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit import Actor
from accounts.models import AuditEvent, Letter, User
from sharing import emails, grants, releases
from sharing.models import Case, ClaimCode, Grant, Link, Notice, Opening, ShareLink, ShareSession
from sharing.openings import PasscodeWrong
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.sharing.links_made import Given, give

MESSAGES = list((Path(__file__).parents[2] / "templates/sharing/email").glob("*_message.txt"))

# Whatever follows an address by itself: mail scanners, previews of messengers, search engines, what fetches ahead.
ROBOTS = [
    "Mozilla/5.0 (compatible; Microsoft SafeLinks)",
    "Microsoft Office/16.0 (Microsoft Outlook 16.0; Pro)",
    "SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "WhatsApp/2.23.20.0 A",
    "TelegramBot (like TwitterBot)",
    "Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; +http://www.linkedin.com)",
    "Discordbot/2.0 (+https://discordapp.com)",
    "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; GoogleImageProxy)",
    "Barracuda Sentinel (EE)",
    "Proofpoint URL Defense",
    "Mimecast/1.0",
    "curl/8.5.0",
]


def plain(answer: Any, made: Given) -> str:
    """A page without what differs each time anyway."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.content.decode())
    return text.replace(made.slug, "…").replace("nobodys-link", "…")


@pytest.mark.parametrize("robot", ROBOTS)
def test_what_follows_links_by_itself_opens_counts_and_learns_nothing(
    client: Client, cast: Cast, robot: str, django_assert_num_queries: Any
) -> None:
    """SH-2, SH-3: the link is unused afterwards, and no byte tells whose it is or whether there is one."""
    made = give(cast.maria, whom="Dr Lee", note="my left knee")
    path, nobodys = made.path, reverse("share_link", args=["nobodys-link"])
    headers = {"User-Agent": robot, "Sec-Purpose": "prefetch"}
    with django_assert_num_queries(0):
        pages = [client.get(path, headers=headers), client.get(nobodys), client.get(f"{path}?secret={made.secret}")]
        client.head(path, headers=headers)
        client.options(path, headers=headers)
        for method in (client.get, client.head, client.options):
            method(f"{path}/open", {"secret": made.secret, "passcode": made.passcode}, headers=headers)
            method(reverse("share_code"), headers=headers)
    assert {page.status_code for page in pages} == {200}
    assert len({plain(page, made) for page in pages}) == 1
    words = {"maria", "Lakeside", "ZEBRAFISH", "Lee", "knee", str(made.grant.pk), made.secret}
    assert not [word for word in words if word in pages[0].content.decode()]
    assert (made.row.openings, made.row.wrong_passcodes, ShareSession.objects.count()) == (0, 0, 0)
    assert "share" not in client.cookies
    assert Grant.objects.get().first_opened_at is None


@pytest.fixture
def mailed(cast: Cast, clock: Clock) -> list[str]:
    """Every address that stands in a letter about sharing, without what is behind its #; and of a link itself."""
    end = timezone.now() + timedelta(days=30)
    for email in ("lee@example.org", "new@example.org"):
        grants.grant(cast.maria, studies="all", email=email, rights=["view"], expires_at=end, way="page")
    made = give(cast.maria, tell_each=True)
    guest = made.guest()
    made.guest()
    grants.ask_more(made.grant, guest.actor)
    locked = give(cast.maria)
    for _ in range(10):
        with pytest.raises(PasscodeWrong):
            locked.open("wrong")
    emails.unlinked(cast.maria)
    not_me = emails.not_me_link("a token")
    for kind in Notice.Kind:
        for has_claimed in (True, False):
            emails.notice("home@example.org", kind, cast.lakeside, has_claimed=has_claimed, not_me=not_me)
    emails.new_code("home@example.org", cast.lakeside, "K7QM-2XPA-09ZD-4", not_me=not_me)
    emails.lent_report_changed("lee@example.org")
    emails.contact_changed("home@example.org", cast.lakeside)
    for letter in (emails.frozen, emails.given_back):
        letter(cast.maria, cast.lakeside)
    clock.move(days=28)
    grants.remind()
    texts = Letter.objects.values_list("template", "text")
    templates = {template for template, _text in texts}
    assert {path.stem.removesuffix("_message") for path in MESSAGES} == {one.rpartition("/")[2] for one in templates}
    links = {urlsplit(link) for _template, text in texts for link in re.findall(r"https?://\S+", text)}
    return [made.path, f"{made.path}/open", *sorted({link.path or "/" for link in links})]


@pytest.mark.parametrize("robot", ROBOTS)
def test_no_address_in_a_letter_does_anything_when_it_is_followed(cast: Cast, mailed: list[str], robot: str) -> None:
    """SH-3: with every method that robots use, and none of them reads a name."""
    before, said = rows(), ""
    for path in mailed:
        for method in ("get", "head", "options"):
            answer = getattr(Client(), method)(path, headers={"User-Agent": robot})
            said += answer.content.decode()
    assert len(mailed) >= 6
    assert rows() == before
    assert [word for word in ("maria", "lee@", "ZEBRAFISH", "Lakeside", cast.study.study_uid) if word in said] == []


def rows() -> list[Any]:
    """Everything that an opening, a sign-in or a look would change."""
    tables = (Grant, ShareLink, ShareSession, Opening, ClaimCode, Link, Case, AuditEvent, Session, User)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_the_page_of_a_link_leads_no_reader_elsewhere(client: Client, cast: Cast) -> None:
    page = client.get(give(cast.maria).path)
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    assert page["Cache-Control"] == "no-store"
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.content.decode())


def test_open_leads_to_the_one_exam(client: Client, cast: Cast) -> None:
    made = give(cast.maria)
    opened = made.post(client)
    assert (opened.status_code, opened["Location"]) == (303, reverse("study", args=[cast.study.pk]))
    page = client.get(opened["Location"])
    assert page.status_code == 200
    assert "maria@example.org" not in page.content.decode()


def test_open_leads_to_a_list_of_several(client: Client, cast: Cast) -> None:
    made = give(cast.maria, studies="all_and_later")
    assert made.post(client)["Location"] == reverse("study", args=[cast.study.pk])
    releases.release(a_study(cast.patient, description="Knee"), actor=Actor.system())
    assert made.post(client)["Location"] == reverse("shared")
    assert "Knee" in client.get(reverse("shared")).content.decode()


@pytest.mark.parametrize(("https", "name"), [(False, "share"), (True, "__Host-share")])
def test_the_cookie_is_one_for_the_whole_site(
    client: Client, cast: Cast, settings: Settings, https: bool, name: str
) -> None:
    settings.SHARE_COOKIE_NAME, settings.SESSION_COOKIE_SECURE = name, https
    give(cast.maria).post(client)
    cookie = client.cookies[name]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"], bool(cookie["secure"])) == ("/", True, "Lax", https)
    assert cookie["max-age"] == ""
    assert cookie.value not in repr(ShareSession.objects.values())


def test_a_second_link_goes_into_the_same_session(client: Client, cast: Cast) -> None:
    give(cast.maria).post(client)
    token = client.cookies["share"].value
    give(cast.maria).post(client)
    assert client.cookies["share"].value == token
    assert (ShareSession.objects.count(), Opening.objects.count()) == (1, 2)


def test_the_passcode_is_asked_for_on_the_same_page(client: Client, cast: Cast) -> None:
    made = give(cast.maria)
    asked = made.post(client, passcode="")
    assert asked.status_code == 422
    assert f'name="secret" value="{made.secret}"' in asked.content.decode()
    assert asked["Referrer-Policy"] == "no-referrer"
    wrong = made.post(client, passcode="12")
    assert wrong.status_code == 422
    assert "You have 9 more tries." in wrong.content.decode()
    assert made.post(client).status_code == 303


def revoke(cast: Cast, made: Given) -> None:
    grants.revoke(cast.maria, made.grant.pk)


def lock(cast: Cast, made: Given) -> None:
    ShareLink.objects.update(wrong_passcodes=10)


def use_up(cast: Cast, made: Given) -> None:
    ShareLink.objects.update(most_openings=1, openings=1)


def expire(cast: Cast, made: Given) -> None:
    now = timezone.now()
    before = now - timedelta(days=2)
    Grant.objects.update(created_at=before, starts_at=before, expires_at=now - timedelta(days=1))


def forget(cast: Cast, made: Given) -> None:
    ShareLink.objects.update(slug="another")


@pytest.mark.parametrize(
    ("die", "status", "english", "spanish"),
    [
        (expire, 410, "Its last day is over.", "Su último día ya pasó."),
        (revoke, 410, "This sharing was stopped.", "Se dejó de compartir."),
        (lock, 410, "This link is locked.", "Este enlace está bloqueado."),
        (
            use_up,
            410,
            "This link was opened as often as it may be.",
            "Este enlace ya se abrió todas las veces permitidas.",
        ),
        (forget, 404, "This link or code does not open.", "Este enlace o código no abre nada."),
    ],
)
def test_a_dead_link_says_what_to_do_next_in_the_readers_language(
    client: Client, cast: Cast, die: Any, status: int, english: str, spanish: str
) -> None:
    made = give(cast.maria)
    die(cast, made)
    for language, words in (("en", english), ("es", spanish)):
        answer = client.post(
            f"{made.path}/open",
            {"secret": made.secret, "passcode": made.passcode},
            headers={"Accept-Language": language},
        )
        assert answer.status_code == status
        assert words in answer.content.decode()
    assert "share" not in client.cookies


def test_the_code_on_the_sheet_opens(client: Client, cast: Cast) -> None:
    made = give(cast.maria)
    asked = client.post(reverse("share_code"), {"code": made.code})
    assert (asked.status_code, asked["Referrer-Policy"]) == (422, "no-referrer")
    opened = client.post(reverse("share_code"), {"code": made.code.lower(), "passcode": made.passcode})
    assert (opened.status_code, opened["Location"]) == (303, reverse("study", args=[cast.study.pk]))


@pytest.mark.parametrize("code", ["", "K7QM", "0000-0000-0000-1"])
def test_slips_in_the_code_are_told_at_their_field(client: Client, cast: Cast, code: str) -> None:
    answer = client.post(reverse("share_code"), {"code": code})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"code"}


def test_too_many_codes_are_told_when_to_come_again(client: Client, cast: Cast) -> None:
    for _ in range(20):
        assert client.post(reverse("share_code"), {"code": "0000-0000-0000-0"}).status_code == 404
    refused = client.post(reverse("share_code"), {"code": "0000-0000-0000-0"})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0


def test_a_guest_says_who_she_is_or_does_not(client: Client, cast: Cast) -> None:
    give(cast.maria).post(client)
    wrong = client.post(reverse("introduce"), {"name": "Dr Kim", "npi": "1234567890"})
    assert wrong.status_code == 422
    assert set(wrong.context["form"].errors) == {"npi"}
    assert client.post(reverse("introduce"), {"name": "Dr Kim", "npi": "1234 567 893"}).status_code == 303
    assert ShareSession.objects.get().declared == "Dr Kim (NPI 1234567893)"
    assert "Dr Kim (NPI 1234567893)" in client.get(reverse("shared")).content.decode()


def test_a_guest_who_is_done_sees_nothing_more(client: Client, cast: Cast) -> None:
    give(cast.maria).post(client)
    study = reverse("study", args=[cast.study.pk])
    assert client.get(study).status_code == 200
    done = client.post(reverse("share_done"))
    assert (done.status_code, done["Location"]) == (303, reverse("home"))
    assert client.cookies["share"].value == ""
    assert client.get(study).status_code == 302


def test_a_guests_session_ends_on_the_servers_clock(client: Client, cast: Cast, clock: Clock) -> None:
    give(cast.maria).post(client)
    study = reverse("study", args=[cast.study.pk])
    clock.move(minutes=59)
    assert client.get(study).status_code == 200
    clock.move(minutes=61)
    assert client.get(study).status_code == 302


def test_a_guest_finds_her_way_from_the_start_page(client: Client, cast: Cast) -> None:
    give(cast.maria).post(client)
    assert client.get(reverse("home"))["Location"] == reverse("shared")
    client.force_login(cast.eve)
    assert reverse("shared") in client.get(reverse("home")).content.decode()


def test_what_a_guest_may_see_and_not_do_is_forbidden_and_the_rest_is_not_there(client: Client, cast: Cast) -> None:
    other = a_study(cast.patient)
    give(cast.maria, studies=[cast.study.pk]).post(client)
    assert client.get(reverse("lend", args=[cast.study.pk])).status_code == 403
    assert client.get(reverse("take_home", args=[cast.study.pk])).status_code == 403
    assert client.get(reverse("lend", args=[other.pk])).status_code == 404
    assert client.get("/no/such/page/").status_code == 404
    assert client.post("/dicom-web/studies").status_code == 403


def test_every_look_of_a_guest_is_written_down_and_told(client: Client, cast: Cast) -> None:
    give(cast.maria, whom="Dr Lee").post(client)
    client.get(reverse("study", args=[cast.study.pk]))
    client.get(reverse("shared"))
    looks = AuditEvent.objects.filter(actor_kind="guest").order_by("pk")
    assert list(looks.values_list("action", flat=True)) == ["link_opened", "viewed", "listed"]
    assert {event.detail["grant"] for event in looks} == {str(Grant.objects.get().pk)}
    assert Letter.objects.filter(template="sharing/email/opened").count() == 1
    client.force_login(cast.maria)
    page = client.get(reverse("activity")).content.decode()
    assert "Somebody with the link for Dr Lee" in page


def test_whoever_signs_out_leaves_what_she_opened_by_link_too(client: Client, cast: Cast) -> None:
    client.force_login(cast.eve)
    give(cast.maria).post(client)
    client.post(reverse("account_logout"))
    assert client.get(reverse("study", args=[cast.study.pk])).status_code == 302
    assert ShareSession.objects.get().ended_at is not None


def test_a_page_that_asks_by_itself_keeps_no_session_alive(client: Client, cast: Cast, clock: Clock) -> None:
    give(cast.maria).post(client)
    study = reverse("study", args=[cast.study.pk])
    for _ in range(3):
        clock.move(minutes=25)
        client.get(study, headers={"X-Idle": "1"})
    assert client.get(study).status_code == 302


def test_a_guest_whose_hour_is_over_is_told_to_open_the_link_again(client: Client, cast: Cast, clock: Clock) -> None:
    give(cast.maria).post(client)
    clock.move(minutes=61)
    page = client.get(reverse("study", args=[cast.study.pk]), follow=True)
    assert "What you opened by link is closed" in page.content.decode()
    assert "What you opened by link" not in Client().get(reverse("account_login")).content.decode()


@pytest.mark.parametrize("slug", ["%00", "x" * 500, "..", "%F0%9F%92%A9", "a b"])
def test_an_address_that_cannot_be_one_is_unknown(client: Client, cast: Cast, slug: str) -> None:
    assert client.get(f"/s/{slug}").status_code == 200
    assert client.post(f"/s/{slug}/open", {"secret": "x"}).status_code == 404


def test_no_log_and_no_title_holds_a_secret_or_a_name(
    client: Client, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    """SH-6: neither when it goes well nor when it does not."""
    caplog.set_level(logging.DEBUG, "lightbox")
    made = give(cast.maria, whom="Dr Lee", passcode=True)
    client.get(f"{made.path}?{made.secret}")
    made.post(client, passcode="wrong")
    made.post(client)
    client.post(reverse("share_code"), {"code": made.code, "passcode": made.passcode})
    client.post(reverse("introduce"), {"name": "Dr Kim"})
    page = client.get(reverse("study", args=[cast.study.pk])).content.decode()
    grants.revoke(cast.maria, made.grant.pk)
    made.post(client)
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("lightbox"))
    secrets = [made.secret, made.slug, made.passcode, made.code, client.cookies["share"].value]
    names = ["Lee", "Kim", "maria", "ZEBRAFISH", cast.study.study_uid, str(cast.study.pk)]
    assert "share_open 303" in said
    assert [word for word in (*secrets, *names) if word in said] == []
    assert not [word for word in ("ZEBRAFISH", "maria") if word in page.partition("</title>")[0]]
