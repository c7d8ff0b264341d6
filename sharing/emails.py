"""Letters about sharing."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from accounts import letters
from accounts.models import Facility, Letter, User
from sharing.models import Grant, Notice

TOLD: Final = {
    Notice.Kind.EXAM: "sharing/email/told_exam",
    Notice.Kind.REPORT: "sharing/email/told_report",
    Notice.Kind.CHANGED: "sharing/email/told_changed",
    Notice.Kind.CLAIMED: "sharing/email/told_claimed",
    Notice.Kind.CODE: "sharing/email/told_code",
}


def unlinked(user: User) -> None:
    """Some images left a person's record, because a facility gave its code to somebody else."""
    letters.write(user.email, "sharing/email/unlinked")


def invitation(grant: Grant, secret: str) -> None:
    """Somebody lends images. The secret stands behind the #, where it reaches neither a server's log nor a scanner."""
    link = f"{settings.PUBLIC_URL}{reverse('invitation', args=[grant.pk])}#{secret}"
    letters.write(grant.email, "sharing/email/invitation", {"link": link, "until": grant.expires_at})


def opened(user: User) -> None:
    """Somebody she lends to has looked for the first time."""
    letters.write(user.email, "sharing/email/opened", {"link": settings.PUBLIC_URL + reverse("activity")})


def opened_again(user: User) -> None:
    """Somebody she lends to is back, and she wants to be told each time."""
    letters.write(user.email, "sharing/email/opened_again", {"link": settings.PUBLIC_URL + reverse("activity")})


def link_locked(user: User) -> None:
    """Somebody typed wrong passcodes for a link of hers until it was locked."""
    letters.write(user.email, "sharing/email/link_locked", {"link": settings.PUBLIC_URL + reverse("sharing")})


def more_asked(user: User) -> None:
    """Somebody she lends to would like to see more."""
    letters.write(user.email, "sharing/email/more_asked", {"link": settings.PUBLIC_URL + reverse("sharing")})


def ends_soon(user: User, grant: Grant) -> None:
    """What somebody is lent ends in a few days."""
    context = {"link": settings.PUBLIC_URL + reverse("provider"), "until": grant.expires_at}
    letters.write(user.email, "sharing/email/ends_soon", context)


def notice(to: str, kind: Notice.Kind, facility: Facility, *, has_claimed: bool, not_me: str = "") -> Letter:
    """Something that a patient is told of. The place that took the images is named, and nobody and no exam.

    To whoever has claimed it links to her images, else to where a code is typed; `not_me` is the way to say no.
    """
    context = {
        "facility": facility,
        "link": settings.PUBLIC_URL + reverse("home" if has_claimed else "claim"),
        "has_claimed": has_claimed,
        "not_me": not_me,
    }
    return letters.write(to, TOLD[kind], context)


def text_of(kind: Notice.Kind, facility: Facility, *, has_claimed: bool) -> str:
    """The same in the few words of a text message."""
    words = {
        Notice.Kind.EXAM: gettext("New images are ready for you."),
        Notice.Kind.REPORT: gettext("A report is ready for you."),
        Notice.Kind.CHANGED: gettext("A report of yours has changed."),
        Notice.Kind.CLAIMED: gettext("Your images went to an account. If that was not you, call us."),
        Notice.Kind.CODE: gettext("A new code for your images was made. If you did not ask for it, call us."),
    }[kind]
    place = settings.PUBLIC_URL + reverse("home" if has_claimed else "claim")
    way = facility.phone if kind in (Notice.Kind.CLAIMED, Notice.Kind.CODE) else place
    return f"{facility.name}: {words} {way}".strip()


def not_me_link(token: str) -> str:
    """Where somebody says that it was not she. The token stands behind the #, see `invitation`."""
    return f"{settings.PUBLIC_URL}{reverse('not_me')}#{token}"


def new_code(to: str, facility: Facility, code: str, *, not_me: str) -> None:
    """A new code for somebody whose old one ended, as a link: the code stands behind the #."""
    link = f"{settings.PUBLIC_URL}{reverse('claim')}#{code}"
    letters.write(to, "sharing/email/new_code", {"facility": facility, "link": link, "not_me": not_me})


def contact_changed(to: str, facility: Facility) -> None:
    """Letters of a facility go to another address from now on."""
    letters.write(to, "sharing/email/contact_changed", {"facility": facility})


def lent_report_changed(to: str) -> None:
    """A report that somebody was lent has a newer version."""
    letters.write(to, "sharing/email/lent_report_changed", {"link": settings.PUBLIC_URL + reverse("provider")})


def frozen(user: User, facility: Facility) -> None:
    """Images left a record because whom the facility has on file says that it was not she."""
    letters.write(user.email, "sharing/email/frozen", {"facility": facility})


def given_back(user: User, facility: Facility) -> None:
    """They are there again."""
    letters.write(user.email, "sharing/email/given_back", {"facility": facility, "link": settings.PUBLIC_URL})
