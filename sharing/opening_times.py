"""When something opens, in words."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from sharing.models import Release, ReleaseRule
from sharing.rules import Decision
from studies.words import modality_words


def moment(at: datetime | None) -> str:
    """When it opens: now, on a day at an hour, or with the final report."""
    if at is None:
        return _("with the final report")
    if at <= timezone.now():
        return _("now")
    return _("on %(moment)s") % {"moment": date_format(timezone.localtime(at), "DATETIME_FORMAT")}


def of_decision(said: Decision | Release) -> str:
    """Both halves of a decision, and why, in one line."""
    if said.report_at == said.available_at or _is_now(said.report_at):
        words = _("Opens %(when)s") % {"when": moment(said.available_at)}
    else:
        times = {"when": moment(said.available_at), "report": moment(said.report_at)}
        words = _("Images open %(when)s, the report %(report)s") % times
    return f"{words}: {said.reason}" if said.reason and not _is_now(said.available_at, said.report_at) else f"{words}."


def of_rule(rule: ReleaseRule) -> str:
    """A rule as a sentence."""
    kinds = [modality_words(rule.modality)] if rule.modality else []
    if rule.words:
        kinds.append(f"“{rule.words}”")
    if age := _ages(rule):
        kinds.append(age)
    about = {"which": ", ".join(kinds) or _("Every exam"), "images": _images(rule), "report": _report(rule)}
    words = _("%(which)s: images %(images)s, the report %(report)s.") % about
    return f"{words} “{rule.reason}”" if rule.reason else words


def _images(rule: ReleaseRule) -> str:
    if rule.images == ReleaseRule.Images.AFTER:
        return _("%(hours)s hours after they are ready") % {"hours": rule.images_hours}
    return {"at_once": _("at once"), "when_final": _("with the final report")}[rule.images]


def _report(rule: ReleaseRule) -> str:
    if rule.report == ReleaseRule.Report.AFTER:
        return _("%(hours)s hours after it is final") % {"hours": rule.report_hours}
    return {"when_final": _("as soon as it is final"), "preliminary": _("even while it is preliminary")}[rule.report]


def _ages(rule: ReleaseRule) -> str:
    if rule.youngest is None and rule.oldest is None:
        return ""
    if rule.oldest is None:
        return _("from %(age)s years on") % {"age": rule.youngest}
    if not rule.youngest:
        return _("up to %(age)s years") % {"age": rule.oldest}
    return _("from %(youngest)s to %(oldest)s years") % {"youngest": rule.youngest, "oldest": rule.oldest}


def _is_now(*moments: datetime | None) -> bool:
    return all(at is not None and at <= timezone.now() for at in moments)
