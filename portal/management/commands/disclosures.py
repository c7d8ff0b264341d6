"""`manage.py disclosures EMAIL`: the accounting of disclosures that a patient may ask for (45 CFR 164.528)."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import people
from accounts.audit import Actor
from accounts.errors import NotFound
from portal.management.operator import OperatorCommand, iso_date
from sharing import disclosures
from sharing.disclosures import Look

SIX_YEARS = timedelta(days=6 * 365 + 2)


class Command(OperatorCommand):
    help = "Lists who did what with a person's images, six years back unless told otherwise. She sees that you asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email")
        parser.add_argument("--since", type=iso_date, metavar="YYYY-MM-DD")

    def handle(self, *args: Any, email: str, since: date | None, json: bool, **options: Any) -> None:
        user = people.find(email)
        if user is None:
            raise NotFound(_("There is no account with that e-mail address."), hint=_("Check how it is written."))
        start = datetime(since.year, since.month, since.day, tzinfo=UTC) if since else timezone.now() - SIX_YEARS
        record = people.record_of(user)
        told = disclosures.account_for(record, start, actor=Actor.operator(), way="command")
        lines = [_line(look) for look in told] or ["Nobody has done anything with this person's images since then."]
        self.answer({"disclosures": [_fields(look) for look in told]}, "\n".join(lines), as_json=json)


def _line(look: Look) -> str:
    return "  ".join(filter(None, [f"{look.at:%Y-%m-%d %H:%M}", str(look.who), str(look.what), look.study, look.how]))


def _fields(look: Look) -> dict[str, Any]:
    fields = {"who": str(look.who), "how": look.how, "what": str(look.what), "study": look.study}
    return {"at": look.at.isoformat(), **fields}
