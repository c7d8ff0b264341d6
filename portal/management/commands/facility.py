"""`manage.py facility add NAME`: a facility and its first key, which is shown this once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from accounts import facilities
from accounts.audit import Actor
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = "Adds a facility and prints the key its tools publish with, this once only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("verb", choices=["add"])
        parser.add_argument("name")
        parser.add_argument("--issuer", default="", metavar="OID", help="Issuer of its patient IDs.")
        parser.add_argument("--phone", default="", help="For its patients; printed on the sheets of its desk.")
        parser.add_argument("--hours", default="", help='When it answers, in words: "Monday to Friday, 8 to 18".')

    def handle(self, *args: Any, name: str, issuer: str, phone: str, hours: str, json: bool, **options: Any) -> None:
        facility, key = facilities.add_facility(name, issuer, phone=phone, hours=hours, actor=Actor.operator())
        fields = {"id": str(facility.pk), "slug": facility.slug, "key": key}
        self.answer(fields, f"{facility.name} ({facility.slug}) publishes with this key: {key}", as_json=json)
