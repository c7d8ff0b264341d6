"""Everybody signed in, Maria's things, and the addresses and forms that lead to them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.test import Client
from django.utils import timezone

from accounts.audit import Actor
from accounts.models import User
from sharing import capabilities, cases, codes, grants
from sharing.models import Case, ClaimCode, Contact, Grant, GrantItem, Link, Release
from studies import intake
from studies.models import FacilityPatient, Quarantined
from tests import factories
from tests.cast import Cast, person
from tests.portal.published import Published, publish_for
from tests.sharing.links_made import Given, give

PERSONAS: Final = ("nobody", "maria", "lee", "kim", "may", "eve", "tom", "ana", "guest", "stopped")
PEOPLE: Final = PERSONAS[1:8]
OUTSIDERS: Final = ("nobody", "kim", "may", "eve", "ana", "stopped")
HELD: Final = 70123123
NOTE: Final = "Please look at the left lung."

Ids = Mapping[str, str]
"""What stands for each placeholder of a route."""

NOBODYS: Final[Ids] = {
    "<uuid:study_id>": str(uuid.UUID(int=1)),
    "<uuid:patient_id>": str(uuid.UUID(int=2)),
    "<uuid:series_id>": str(uuid.UUID(int=3)),
    "<uuid:report_id>": str(uuid.UUID(int=4)),
    "<uuid:grant_id>": str(uuid.UUID(int=5)),
    "<int:held_id>": "70404404",
    "<uuid:case_id>": "00000000-0000-4000-8000-000000000c0d",
    "<uuid:consent_id>": "00000000-0000-4000-8000-0000000000c5",
    "<uuid:rule_id>": "00000000-0000-4000-8000-0000000000b1",
    "<int:gateway_id>": "999",
    "<uuid:merge_id>": "00000000-0000-4000-8000-0000000000b2",
    "<str:slug>": "a-link-that-nobodymade",  # as long as a real one
    "<str:capability>": "a-capability-that-nobody-made",
    "<str:study_uid>": factories.uid(404),
    "<str:series_uid>": factories.uid(405),
    "<str:sop_uid>": factories.uid(406),
}
THE_SAME_FOR_ALL: Final[Ids] = {
    "<str:size>": "preview",
    "<int:index>": "1",
    "<int:number>": "1",
    "<int:pk>": "1",
    "<str:numbers>": "1",
    "<path:path>": "7FE00010",
    "<path:place>": "elsewhere",
    "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-none/",
}


@dataclass
class Stage:
    """The cast, one client each, and Maria's study, of which Dr Lee was lent pictures and report."""

    cast: Cast
    maria: Published
    grant: Grant
    links: Mapping[str, Given]
    capability: str  # of a grant that was stopped
    case: Case
    clients: dict[str, Client]

    @property
    def hers(self) -> Ids:
        """Maria's things, for the placeholders of routes."""
        return {
            "<uuid:study_id>": str(self.maria.study.pk),
            "<uuid:patient_id>": str(self.maria.study.patient_id),
            "<uuid:series_id>": str(self.maria.series_id),
            "<uuid:report_id>": str(self.maria.report.pk),
            "<uuid:grant_id>": str(self.grant.pk),
            "<int:held_id>": str(HELD),
            "<uuid:case_id>": str(self.case.pk),
            "<uuid:consent_id>": str(self.case.pk),  # the same
            "<int:gateway_id>": "998",
            "<uuid:merge_id>": str(self.case.pk),  # nor is there a merge
            "<uuid:rule_id>": str(self.case.pk),  # there is no rule: what its facility has not, nobody has
            "<str:slug>": self.links["guest"].slug,
            "<str:capability>": self.capability,
            "<str:study_uid>": self.maria.study.study_uid,
            "<str:series_uid>": self.maria.first.series.series_uid,
            "<str:sop_uid>": self.maria.first.sop_uid,
        }

    @property
    def words_of_the_study(self) -> list[str]:
        """What the study's pages and files say."""
        study = self.maria.study
        return [str(study.pk), study.study_uid, study.accession_number, "CT chest", "PUB-1", "ZEBRAFISH", "lungs clear"]

    @property
    def words_of_lending(self) -> list[str]:
        """What Maria's pages say of whom she lends to: nobody's business, her facility's neither."""
        return [str(self.grant.pk), NOTE, self.grant.email]

    @property
    def words_of_another_study(self) -> list[str]:
        """A study of Maria's that she never lent."""
        return [str(self.cast.study.pk), self.cast.study.study_uid]

    def get(self, persona: str, pattern: str, ids: Ids | None = None, *, method: str = "get") -> Any:
        """What a route answers to somebody, by default for Maria's things."""
        call = getattr(self.clients[persona], method)
        return call(address(pattern, ids or self.hers))

    def do(self, persona: str, name: str, pattern: str, ids: Ids | None = None) -> Any:
        """What a route answers to a whole form about Maria's things; see `forms`."""
        ids = ids or self.hers
        client, where, filled = self.clients[persona], address(pattern, ids), forms(ids["<uuid:study_id>"])[name]
        if name == "api_grant":
            return client.delete(where)
        if name.startswith("api_") or name == "capability_receipt":
            return client.post(where, filled, content_type="application/json")
        return client.post(where, filled)

    def belongings(self) -> list[Any]:
        """Everything of Maria's that a deed might change."""
        patient = {"patient": self.maria.study.patient_id}
        return [
            list(rows.order_by("pk").values())
            for rows in (
                Grant.objects.filter(record=self.cast.maria.record),
                GrantItem.objects.filter(grant__record=self.cast.maria.record),
                Release.objects.filter(study__patient=self.maria.study.patient_id),
                ClaimCode.objects.filter(**patient),
                Case.objects.filter(**patient),
                Contact.objects.filter(**patient),
                Link.objects.filter(**patient),
                FacilityPatient.objects.filter(pk=self.maria.study.patient_id),
                Quarantined.objects.filter(pk=HELD),
            )
        ]


def set_up(cast: Cast) -> Stage:
    """Publish, lend to Dr Lee and to a guest, lend to Dr Kim and another guest and stop it, and let everybody in."""
    published = publish_for(cast)
    set_aside(cast)
    people = {name: getattr(cast, name, None) or person(f"{name}@example.org", provider=True) for name in PEOPLE}
    lent = _lend(cast.maria, people["lee"], published)
    grants.revoke(cast.maria, _lend(cast.maria, people["kim"], published).pk)
    clients = {"nobody": Client()}
    for name, somebody in people.items():
        clients[name] = Client()
        clients[name].force_login(somebody)
    clients |= {"guest": Client(), "stopped": Client()}
    rights = {"guest": ["view", "report"], "stopped": ["view", "report", "download"]}
    links = {name: _link(cast.maria, published, clients[name], rights[name]) for name in rights}
    capability = capabilities.make(links["stopped"].grant, actor=Actor.nobody()).base.split("/")[-2]
    grants.revoke(cast.maria, links["stopped"].grant.pk)
    patient, maria = published.study.patient, cast.maria
    case = cases.open_case(Case.Kind.PROBLEM, patient, actor=Actor.person(maria), user=maria, text="Where is it?")
    return Stage(cast, published, lent, links, capability, case, clients)


def set_aside(cast: Cast) -> None:
    """Pictures of Maria's that name no patient ID wait at Lakeside, by a number that stands in no other text."""
    (held,) = intake.publish(cast.lakeside, [[factories.ct_file(study=8, PatientID=None)]]).quarantined
    Quarantined.objects.filter(sop_uid=held.named.sop_uid).update(id=HELD)


def _lend(giver: User, to: User, published: Published) -> Grant:
    return grants.grant(
        giver,
        studies=[published.study.pk],
        email=to.email,
        rights=["view", "report"],
        expires_at=timezone.now() + timedelta(days=1),
        note=NOTE,
        way="page",
    )


def _link(giver: User, published: Published, client: Client, rights: list[str]) -> Given:
    """A link, opened in this browser."""
    made = give(giver, studies=[published.study.pk], rights=rights)
    assert made.post(client).status_code == 303
    return made


def address(pattern: str, ids: Ids) -> str:
    """A real address for a route's pattern."""
    for placeholder, value in {**ids, **THE_SAME_FOR_ALL}.items():
        pattern = pattern.replace(placeholder, value)
    assert "<" not in pattern, f"fill in {pattern}"
    return f"/{pattern}"


CLOCKS = {"Expires", "Last-Modified", "Date"}  # they tell the second of the answer


def body_of(answer: Any) -> str:
    """The body as text, streamed or not."""
    body: bytes = answer.getvalue() if answer.streaming else answer.content
    return body.decode(errors="replace")


def seen(answer: Any, ids: Ids) -> tuple[int, str]:
    """All that a client sees of an answer, but for the time, the ids that she asked for and the token of a form."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in CLOCKS)
    text = f"{headers}\n{body_of(answer)}"
    for value in ids.values():
        text = text.replace(value, "…")
    return answer.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def forms(study_id: str) -> dict[str, dict[str, Any]]:
    """A whole form for each route that does something, as the person who may do it would fill it in."""
    later = (timezone.now() + timedelta(days=10)).date().isoformat()
    born = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}
    lend = {
        "by": "email",
        "email": "dr.ray@example.org",
        "scope": "chosen",
        "studies": study_id,
        "period": "30",
        "share": "yes",
    }
    return {
        "pull": {},
        "ask_more": {},
        "widen": {"studies": study_id},
        "claim_again": {},
        "start": {"code": codes.make(), **born},
        "start_account": {"name": "Nora", "email": "nora@example.org", "password": "a long and quiet winter"},
        "claim": {"code": codes.make(), **born},
        "lend": lend,
        "lend_new": lend,
        "revoke": {},
        "revoke_all": {},
        "extend": {"until": later},
        "share_code": {"code": codes.make()},
        "share_open": {"secret": "a guess"},
        "introduce": {"name": "Dr Ray"},
        "invitation": {"token": "a guess"},
        "not_me": {"token": "a guess"},
        "invitation_account": {"name": "Dr Ray", "password": "a long and quiet winter"},
        "desk": {"text": "zebrafish"},
        "desk_facility": {"phone": "555 0100", "hours": "never"},
        "desk_register": {"patient_id": "NEW-1", "family": "Zebrafish", "given": "Uma", **born},
        "desk_details": {"family": "Zebrafish", "given": "Maria Luz", **born},
        "ask_facility": {"about": "report", "text": "Where is it?"},
        "desk_contact": {"email": "home@example.org"},
        "desk_tell_again": {},
        "desk_undo": {},
        "desk_consent": {"text": "I agree.", "lasts_days": "9"},
        "withdraw_consent": {},
        "desk_today": {},
        "desk_opening": {"images": "at_once", "report": "when_final"},
        "desk_rule_end": {},
        "desk_part": {},
        "desk_ask_gateway": {},
        "desk_rule_first": {},
        "desk_question": {"verdict": "answer", "answer": "It came today."},
        "desk_code": {"document": "passport", "language": "en"},
        "desk_release_all": {},
        "desk_release": {},
        "desk_withdraw": {"reason": "of somebody else"},
        "desk_held": {"text": "zebrafish"},
        "desk_held_new": {"patient_id": "NEW-2", "family": "Zebrafish", "given": "Uma", **born},
        "desk_take_in": {"upto": str(HELD)},
        "desk_leave_out": {"upto": str(HELD), "why": "test"},
        "extend_session": {},
        "stow": {},
        "stow_study": {},
        "api_reports": {"study_uid": factories.uid(9), "status": "final", "text": "Nothing."},
        "api_exams": {
            "patient_id": "P9",
            "accession_number": "A9",
            "state": "ordered",
            "said_at": f"{later}T12:00:00Z",
        },
        "api_patients": {"patient_id": "P9", "name": "ZEBRAFISH^UMA"},
        "api_merges": {"survivor": {"patient_id": "P9"}, "merged": {"patient_id": "P8"}},
        "api_grants": {
            "studies": [study_id],
            "to": {"kind": "email", "email": "dr.ray@example.org"},
            "rights": ["view"],
            "expires_at": f"{later}T12:00:00Z",
        },
        "api_grant": {},
        "api_pulls": {"code": codes.make(), "practice": "Elm Practice"},
        "capability_receipt": {"study_uid": factories.uid(9), "stored": 1, "failed": 0},
    }
