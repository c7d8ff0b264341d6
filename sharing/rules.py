"""When an exam is offered to its patient, and its report: a facility's rules, and what they come to for one exam.

The first rule in order that fits is the exam's. Where none does, all is offered at once: no embargo. One exam may be
sent by another urgency than its rule's (RSNA Image Share: routine, when final, immediately).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, NotFound
from accounts.models import Facility
from sharing.models import Release, ReleaseRule
from studies.models import Report, Study
from studies.names import folded
from studies.orders import exams
from studies.reports import READ_FIRST

Urgency, Images, ReportWhen = Release.Urgency, ReleaseRule.Images, ReleaseRule.Report

MOST_HOURS: Final = 24 * 30
MOST_RULES: Final = 50


@dataclass(frozen=True)
class Decision:
    """When an exam opens and when its report does; None: with the final report. `reason` for what waits."""

    available_at: datetime | None
    report_at: datetime | None
    preliminary_too: bool = False
    reason: str = ""


def in_force(facility: Facility) -> list[ReleaseRule]:
    """A facility's rules, in their order."""
    return list(ReleaseRule.objects.filter(facility=facility, ended_at=None).order_by("position", "made_at"))


def rule_for(study: Study, rules: Iterable[ReleaseRule]) -> ReleaseRule | None:
    """The first that fits; None where none does."""
    return next((rule for rule in rules if _fits(rule, study)), None)


def decide(
    study: Study, *, urgency: Release.Urgency = Urgency.ROUTINE, rules: Iterable[ReleaseRule] | None = None
) -> Decision:
    """When a study opens by the rules of its facility, if it were offered now."""
    now = timezone.now()
    rule = rule_for(study, in_force(study.facility) if rules is None else rules)
    if urgency == Urgency.IMMEDIATELY or (urgency == Urgency.ROUTINE and rule is None):
        return Decision(now, now)
    final_at = _final_since(study)
    if urgency == Urgency.WHEN_FINAL or rule is None:
        return Decision(final_at and now, now)
    images = {Images.AT_ONCE: now, Images.WHEN_FINAL: final_at and now, Images.AFTER: _ready_since(study)}
    opens = images[Images(rule.images)]
    if rule.images == Images.AFTER:
        opens = _later(opens, rule.images_hours)
    report = _later(final_at, rule.report_hours) if rule.report == ReportWhen.AFTER else now
    return Decision(opens, report, rule.report == ReportWhen.PRELIMINARY, rule.reason)


def make(facility: Facility, *, actor: Actor, **said: Any) -> ReleaseRule:
    """Put a rule behind the others; BadRequest for one that makes something wait and gives no reason."""
    rule = ReleaseRule(facility=facility, **said)
    check(rule)
    with transaction.atomic():
        behind = ReleaseRule.objects.select_for_update().filter(facility=facility, ended_at=None)
        if len(behind) >= MOST_RULES:
            raise BadRequest(_("These are too many rules to understand."), hint=_("End one that is not needed."))
        rule.position = 1 + (behind.aggregate(last=Max("position"))["last"] or 0)
        rule.save()
        _note(Action.RULE_MADE, rule, actor)
    return rule


def end(facility: Facility, rule_id: Any, *, actor: Actor) -> None:
    """End a rule. NotFound for another facility's; twice changes nothing."""
    with transaction.atomic():
        rule = _rule_of(facility, rule_id)
        if ReleaseRule.objects.filter(pk=rule.pk, ended_at=None).update(ended_at=timezone.now()):
            _note(Action.RULE_ENDED, rule, actor)


def put_first(facility: Facility, rule_id: Any, *, actor: Actor) -> None:
    """Let a rule be asked before the others."""
    with transaction.atomic():
        rule = _rule_of(facility, rule_id)
        ordered = [rule, *(one for one in in_force(facility) if one.pk != rule.pk)]
        for position, one in enumerate(ordered):
            ReleaseRule.objects.filter(pk=one.pk).update(position=position)
        _note(Action.RULE_MOVED, rule, actor)


def _rule_of(facility: Facility, rule_id: Any) -> ReleaseRule:
    rule = ReleaseRule.objects.filter(facility=facility, pk=rule_id).first()
    if rule is None:
        raise NotFound
    return rule


def check(rule: ReleaseRule) -> None:
    """BadRequest for a rule that makes no sense, or that lets a patient wait without a reason."""
    waits = rule.images != Images.AT_ONCE or rule.report == ReportWhen.AFTER
    if waits and not rule.reason.strip():
        raise BadRequest(
            _("Say why it waits: the patient reads it."), hint=_("For example: Your doctor tells you the result first.")
        )
    hours = [rule.images_hours] * (rule.images == Images.AFTER) + [rule.report_hours] * (
        rule.report == ReportWhen.AFTER
    )
    if not all(1 <= one <= MOST_HOURS for one in hours):
        raise BadRequest(_("Hours are from 1 to 720."), hint=_("That is thirty days."))
    if rule.youngest is not None and rule.oldest is not None and rule.youngest > rule.oldest:
        raise BadRequest(_("The youngest is older than the oldest."), hint=_("Turn the two ages round."))


def _fits(rule: ReleaseRule, study: Study) -> bool:
    if rule.modality and rule.modality not in study.modalities:
        return False
    if not set(folded(rule.words).split()) <= set(folded(study.description).split()):
        return False
    if rule.youngest is None and rule.oldest is None:
        return True
    age = _age(study)
    return age is not None and (rule.youngest or 0) <= age <= (1000 if rule.oldest is None else rule.oldest)


def _age(study: Study) -> int | None:
    """On the day of the exam, in years; None where nobody knows."""
    born = study.patient.birth_date
    day: date = study.study_date or timezone.localdate(study.received_at)
    return None if born is None else day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _ready_since(study: Study) -> datetime:
    ready: datetime = study.ready_at or timezone.now()
    return ready


def _final_since(study: Study) -> datetime | None:
    """When the first report came that is final, or its RIS said that none will; None while neither is so."""
    standing = Report.objects.filter(study=study, kind__in=READ_FIRST, instance__rejected_at=None)
    final = standing.exclude(status=Report.Status.PRELIMINARY)
    written: datetime | None = final.order_by("received_at").values_list("received_at", flat=True).first()
    return written or exams.closed_without_report(study)


def _later(moment: datetime | None, hours: int) -> datetime | None:
    return moment and moment + timedelta(hours=hours)


def _note(action: Action, rule: ReleaseRule, actor: Actor) -> None:
    audit.record(action, actor=actor, facility_id=rule.facility_id, way="desk", rule=str(rule.pk))
