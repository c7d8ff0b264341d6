"""A grant in one sentence: read back before the click, and shown as long as it lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from sharing.models import Grant
from studies import catalog
from studies.models import Series, Study
from studies.words import series_title

NAMED: Final = 3  # more are counted
END_OF_DAY: Final = time(23, 59, 59)

SENTENCES: Final[dict[tuple[bool, bool], Promise]] = {  # (report, download)
    (False, False): _("%(who)s may see the pictures of %(what)s, until %(until)s."),
    (True, False): _("%(who)s may see the pictures and the report of %(what)s, until %(until)s."),
    (False, True): _("%(who)s may see the pictures of %(what)s, and download them, until %(until)s."),
    (True, True): _("%(who)s may see the pictures and the report of %(what)s, and download them, until %(until)s."),
}


def sentence(grant: Grant, studies: Sequence[Study], who: str = "", series: Sequence[Series] = ()) -> str:
    """The whole of a grant in words: who may do what, with what, until when. `studies` are those of today; of some of
    them `series` alone."""
    whole = str(SENTENCES[grant.may_report, grant.may_download])
    said = whole % {"who": who or grant.email, "what": _what(grant, studies), "until": moment(grant.expires_at)}
    said = said.removesuffix(".") if said.endswith("..") else said  # "4:21 a.m." has its full stop already
    return " ".join([said, *_besides(grant, series)])


def _besides(grant: Grant, series: Sequence[Series]) -> Iterator[str]:
    """What is not true of every grant: that it is for parts, that it begins later, and what it is for."""
    if series:
        titles = [series_title(one) for one in series[:NAMED]]
        more = len(series) - len(titles)
        if more:
            titles.append(ngettext("%(count)d more", "%(count)d more", more) % {"count": more})
        yield gettext("Of it only: %(series)s.") % {"series": get_text_list(titles, gettext("and"))}
    if grant.starts_at > timezone.now():
        yield gettext("It begins on %(day)s.") % {
            "day": date_format(timezone.localtime(grant.starts_at), "DATE_FORMAT")
        }
    if grant.purpose:
        yield gettext("Purpose: %(purpose)s.") % {"purpose": grant.get_purpose_display()}


def moment(at: datetime) -> str:
    """A day when it means the whole of that day, else day and time."""
    local = timezone.localtime(at)
    return date_format(local, "DATE_FORMAT" if local.time().replace(microsecond=0) == END_OF_DAY else "DATETIME_FORMAT")


def end_of(day: date) -> datetime:
    """The last second of a day."""
    return timezone.make_aware(datetime.combine(day, END_OF_DAY))


def start_of(day: date) -> datetime:
    """The first moment of a day."""
    return timezone.make_aware(datetime.combine(day, time.min))


def exam(study: Study) -> str:
    """One study by title and date."""
    title = catalog.title(study)
    if study.study_date is None:
        return gettext("“%(title)s”") % {"title": title}
    day = date_format(study.study_date, "DATE_FORMAT")
    return gettext("“%(title)s” of %(day)s") % {"title": title, "day": day}


def _what(grant: Grant, studies: Sequence[Study]) -> str:
    if grant.scope == Grant.Scope.ALL_AND_LATER:
        return gettext("all your exams and all that come later")
    if len(studies) <= NAMED:
        named = get_text_list([exam(one) for one in studies], gettext("and"))
        return ngettext("your exam %(named)s", "your exams %(named)s", len(studies)) % {"named": named}
    count = {"count": len(studies)}
    if grant.scope == Grant.Scope.ALL:
        return ngettext("your %(count)d exam of today", "all your %(count)d exams of today", len(studies)) % count
    return ngettext("%(count)d exam of yours", "%(count)d exams of yours", len(studies)) % count
