"""The patient's side of the audit: who looked, in words."""

from __future__ import annotations

from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit import Action
from accounts.models import AuditEvent
from sharing.access import Viewer
from studies.models import Study

Words = str | Promise

SENTENCES: dict[Action, Words] = {
    Action.PUBLISHED: _("sent images"),
    Action.QUARANTINED: _("sent images that wait for a check"),
    Action.REPORT_RECEIVED: _("sent a report"),
    Action.PATIENT_REGISTERED: _("registered a patient"),
    Action.RELEASED: _("released the study"),
    Action.WITHDRAWN: _("took the study back"),
    Action.CODE_ISSUED: _("made a code"),
    Action.CODE_REVOKED: _("ended a code"),
    Action.CLAIMED: _("claimed with a code"),
    Action.CLAIM_REFUSED: _("tried a code that did not fit"),
    Action.UNLINKED: _("moved images to another record"),
    Action.VIEWED: _("looked at the pictures"),
    Action.REPORT_VIEWED: _("read the report"),
    Action.DOWNLOADED: _("downloaded the study"),
    Action.REFUSED: _("was refused"),
    Action.SIGNED_UP: _("made an account"),
    Action.SIGNED_IN: _("signed in"),
    Action.SIGN_IN_FAILED: _("tried to sign in"),
    Action.SIGNED_OUT: _("signed out"),
    Action.SESSIONS_ENDED: _("signed out everywhere"),
    Action.PASSWORD_CHANGED: _("changed the password"),
    Action.EMAIL_CHANGED: _("changed the e-mail address"),
    Action.DETAILS_CHANGED: _("changed name or birth date"),
    Action.ACCOUNT_ADDED: _("made an account"),
    Action.FACILITY_ADDED: _("added a facility"),
    Action.KEY_ISSUED: _("made a key"),
    Action.KEY_REVOKED: _("ended a key"),
    Action.ERASED: _("erased"),
}
LOOKS = [Action.VIEWED, Action.REPORT_VIEWED, Action.DOWNLOADED]
TIMELINE = "timeline"  # the small picture in the list: written down, but no look worth a line


def latest(study: Study, *, viewer: Viewer, count: int = 5) -> list[tuple[datetime, Words, Words]]:
    """The last looks at a study, newest first, as (when, who, did what)."""
    looks = AuditEvent.objects.filter(study_id=study.pk, action__in=LOOKS).exclude(way=TIMELINE)
    newest = looks.order_by("-at", "-pk")[:count]
    return [(one.at, _who(one, viewer), SENTENCES[Action(one.action)]) for one in newest]


def _who(event: AuditEvent, viewer: Viewer) -> Words:
    if event.actor_id == str(viewer.user.pk):
        return _("You")
    if event.actor_kind == "staff":
        return _("Staff of %(facility)s") % {"facility": event.actor_label}
    return event.actor_label or _("This site")
