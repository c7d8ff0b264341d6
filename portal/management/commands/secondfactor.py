"""`manage.py secondfactor drop EMAIL`: help somebody who lost her phone, her key and her codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts import factors, people
from accounts.audit import Actor
from accounts.errors import NotFound
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = "Takes every second factor off an account. See an identity document first: this is what a thief asks for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("verb", choices=["drop"])
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, json: bool, **options: Any) -> None:
        user = people.find(email)
        if user is None:
            raise NotFound(_("There is no account with that e-mail address."), hint=_("Check how it is written."))
        factors.drop(user, actor=Actor.operator())
        sentence = f"{user.email} signs in with the password alone, until a new second factor is set up."
        self.answer({"id": str(user.pk), "email": user.email}, sentence, as_json=json)
