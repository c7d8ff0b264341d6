"""`manage.py facilitykey issue SLUG | revoke KEY`: one more key for a facility, or the end of one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts import facilities
from accounts.audit import Actor
from accounts.errors import NotFound
from portal.management.operator import OperatorCommand, facility_by


class Command(OperatorCommand):
    help = "Issues a facility's next key, or revokes one that has leaked: issue, change the tools, revoke the old."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("verb", choices=["issue", "revoke"])
        parser.add_argument("name", help="The facility's slug; or the key to revoke, or its twelve letters after lbx_.")

    def handle(self, *args: Any, verb: str, name: str, json: bool, **options: Any) -> None:
        if verb == "issue":
            key = facilities.issue_key(facility_by(name), actor=Actor.operator())
            self.answer({"key": key}, f"The new key, shown this once: {key}", as_json=json)
        else:
            self._revoke(name, as_json=json)

    def _revoke(self, name: str, *, as_json: bool) -> None:
        key = facilities.key_named(name)
        if key is None:
            raise NotFound(_("There is no such key."), hint=_("Give the twelve letters that follow lbx_ in it."))
        facilities.revoke_key(key, actor=Actor.operator())
        self.answer({"revoked": key.selector}, "The key is refused from now on.", as_json=as_json)
