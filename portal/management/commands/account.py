"""`manage.py account add EMAIL --password P`: a verified account with an empty record."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email

from accounts import people
from accounts.audit import Actor
from portal.management.operator import REFUSED, OperatorCommand, facility_by


class Command(OperatorCommand):
    help = "Adds an account whose e-mail address you vouch for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("verb", choices=["add"])
        parser.add_argument("email")
        parser.add_argument("--password", required=True)
        parser.add_argument("--provider", action="store_true", help="A physician to whom patients lend.")
        parser.add_argument("--staff", default="", metavar="FACILITY_SLUG", help="Works at this facility.")
        parser.add_argument(
            "--administrator", action="store_true", help="With --staff: may change its phone and hours."
        )

    def handle(
        self,
        *args: Any,
        email: str,
        password: str,
        provider: bool,
        staff: str,
        administrator: bool,
        json: bool,
        **options: Any,
    ) -> None:
        _check(email, password)
        if administrator and not staff:
            raise CommandError("--administrator says of which facility with --staff FACILITY_SLUG.", returncode=REFUSED)
        user = people.add_account(
            email,
            password,
            provider=provider,
            staff_of=facility_by(staff) if staff else None,
            administrator=administrator,
            actor=Actor.operator(),
        )
        self.answer({"id": str(user.pk), "email": user.email}, f"{user.email} can sign in.", as_json=json)


def _check(email: str, password: str) -> None:
    try:
        validate_email(email.strip())
    except ValidationError:
        raise CommandError("That is no e-mail address. Write it like name@example.org.", returncode=REFUSED) from None
    if not password:
        raise CommandError("The password is empty. Give one after --password.", returncode=REFUSED)
