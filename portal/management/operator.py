"""What the operator's commands share: one JSON line for programs, a readable one for people, refusals as exit 2."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotFound, PortalError
from accounts.models import Facility
from portal.embedded.site import prepare_database

REFUSED = 2


class OperatorCommand(BaseCommand):
    """A verb for whoever has the command line. The answer goes to stdout, sentences to stderr."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the verb; a refusal ends with exit code 2 and its own words."""
        if settings.EMBEDDED:
            prepare_database()  # a server's database is migrated on purpose, never in passing
        try:
            return super().execute(*args, **options)
        except PortalError as refusal:
            raise CommandError(f"{refusal.message} {refusal.hint}".strip(), returncode=REFUSED) from refusal

    def answer(self, fields: dict[str, Any], sentence: str, *, as_json: bool) -> None:
        """Print what was made."""
        self.stdout.write(json.dumps(fields) if as_json else sentence)


def facility_by(slug: str) -> Facility:
    """The facility an operator names; NotFound with the way to see which there are."""
    found = Facility.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Facility.objects.order_by("slug").values_list("slug", flat=True)) or "none"
        raise NotFound(
            _("There is no facility %(slug)s.") % {"slug": slug}, hint=_("Known: %(known)s.") % {"known": known}
        )
    return found


def iso_date(text: str) -> date:
    """An argument like 1980-05-17."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date; write it like 1980-05-17") from None
