"""Who can see what: a person's grants as her pages show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.errors import NotFound, Words
from accounts.models import User
from sharing import grants, wording
from sharing.models import Grant, GrantItem, GrantQuerySet, ShareLink
from studies.models import Series, Study

WITH_LINK: Final[dict[tuple[bool, bool], Words]] = {  # (she said who she is, it was made for somebody)
    (True, True): gettext_lazy("%(who)s, as they call themselves, with the link for %(whom)s"),
    (True, False): gettext_lazy("%(who)s, as they call themselves, with a link"),
    (False, True): gettext_lazy("Somebody with the link for %(whom)s"),
    (False, False): gettext_lazy("Somebody with a link"),
}


@dataclass(frozen=True)
class GrantView:
    """One grant in words. `ended` is empty as long as it lives."""

    grant: Grant
    who: str
    sentence: str
    ended: str

    @property
    def openings(self) -> str:
        """Where a link was opened: in how many browsers, and of how many that may; empty for others."""
        link = getattr(self.grant, "link", None)
        if link is None:
            return ""
        count = {"count": link.openings, "most": link.most_openings}
        if link.most_openings:
            return _("opened in %(count)d of at most %(most)d browsers") % count
        return ngettext("opened in %(count)d browser", "opened in %(count)d browsers", link.openings) % count

    @property
    def is_locked(self) -> bool:
        """Whether nobody opens its link any more, after wrong passcodes."""
        link = getattr(self.grant, "link", None)
        return link is not None and link.wrong_passcodes >= ShareLink.WRONG_PASSCODES

    @classmethod
    def of(cls, grant: Grant, items: list[GrantItem], *, is_live: bool) -> GrantView:
        """`grant` comes with its provider: see `told`."""
        who, said = who_of(grant), wording.sentence(grant, studies_in(items), who_of(grant), series_in(items))
        return cls(grant, who, said, "" if is_live else _ended(grant))


def of(giver: User) -> list[GrantView]:
    """Every grant from records that she keeps, the newest first."""
    live = set(grants.managed_by(giver).standing().values_list("pk", flat=True))
    newest_first = list(told(giver).order_by("-created_at", "pk"))
    items = _items_of(giver)
    return [GrantView.of(grant, items[grant.pk], is_live=grant.pk in live) for grant in newest_first]


def one(giver: User, grant_id: UUID) -> GrantView:
    """One grant from a record that she keeps; NotFound for anybody else's."""
    found = told(giver).filter(pk=grant_id).first()
    if found is None:
        raise NotFound
    is_live = grants.managed_by(giver).standing().filter(pk=grant_id).exists()
    return GrantView.of(found, items_of(found), is_live=is_live)


def items_of(grant: Grant) -> list[GrantItem]:
    """What a grant names, with its studies and series."""
    return list(grant.items.select_related("study", "series").order_by("pk"))


def studies_in(items: Iterable[GrantItem]) -> list[Study]:
    """The studies, each once."""
    return list({item.study_id: item.study for item in items}.values())


def series_in(items: Iterable[GrantItem]) -> list[Series]:
    """The series to which some of the studies are limited."""
    return [item.series for item in items if item.series is not None]


def _items_of(giver: User) -> dict[UUID, list[GrantItem]]:
    """Of each grant what it names. Not by `prefetch_related`: SQLite does not bear its condition over a thousand."""
    items = GrantItem.objects.filter(grant__in=grants.managed_by(giver).values("pk")).order_by("pk")
    found: dict[UUID, list[GrantItem]] = defaultdict(list)
    for item in items.select_related("study", "series"):
        found[item.grant_id].append(item)
    return found


def told(giver: User) -> GrantQuerySet:
    """Her grants with what `who_of` needs to know."""
    return grants.managed_by(giver).select_related("provider__provider", "link")


def people_seeing(giver: User, study: Study) -> int:
    """How many people she lends a study to now; a link counts as one."""
    over = _over(grants.managed_by(giver).live(), study)
    by_email = over.filter(kind=Grant.Kind.EMAIL).values("email").distinct().count()
    return by_email + over.filter(kind=Grant.Kind.LINK).count()


def known_to(giver: User) -> list[str]:
    """The addresses that she has lent to before, to be offered as she types."""
    return sorted(set(grants.managed_by(giver).exclude(email="").values_list("email", flat=True)))


def about(giver: User, study: Study) -> GrantQuerySet:
    """Every grant of hers that a study is or was part of."""
    return _over(grants.managed_by(giver), study)


def who_of(grant: Grant) -> str:
    """The addressee, by name once she has opened something: before, it would tell strangers who owns an address."""
    if grant.kind == Grant.Kind.LINK:
        return _("%(whom)s (by link)") % {"whom": grant.whom} if grant.whom else _("Whoever has the link")
    provider = getattr(grant.provider, "provider", None)
    if provider is None or not provider.name or grant.first_opened_at is None:
        return grant.email
    known = f"{provider.name}, {provider.practice}" if provider.practice else provider.name
    return f"{known} ({grant.email})"


def lender_of(grant: Grant) -> str:
    """Whose images these are: by the name on the record, else by the giver's address, which a link tells nobody."""
    return grant.record.name or ("" if grant.kind == Grant.Kind.LINK else grant.given_by.email)


def borrower_of(grant: Grant, called: str) -> str:
    """Whoever looked by a grant. With a link that is whoever has it, `called` as she said herself, if she did."""
    if grant.kind == Grant.Kind.EMAIL:
        return who_of(grant)
    return str(WITH_LINK[bool(called), bool(grant.whom)]) % {"who": called, "whom": grant.whom}


def _over(those: GrantQuerySet, study: Study) -> GrantQuerySet:
    later = Q(scope=Grant.Scope.ALL_AND_LATER, record__links__patient=study.patient_id, record__links__ended_at=None)
    return those.filter(Q(items__study=study) | later).distinct()


def _ended(grant: Grant) -> str:
    at: datetime = grant.revoked_at or grant.expires_at
    told = _("Stopped %(at)s") if grant.revoked_at else _("Ended %(at)s")
    return told % {"at": wording.moment(at)}
