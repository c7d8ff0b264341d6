"""`manage.py demo`: makes the demo world once, and says how to enter it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.demo import world
from portal.embedded.site import prepare_database
from portal.embedded.turns import alone
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = "Makes the demo world, once, and prints its sign-ins and a claim code."

    def handle(self, *args: Any, **options: Any) -> None:
        with alone(settings.DATA_DIR / "demo.lock"):
            made = _known() or _make()
        self.answer(made, _introduction(made), as_json=options["json"])


def demo_file() -> Path:
    """Where the world's sign-ins are kept, for their owner's eyes; that it exists makes the site a demo."""
    return Path(settings.DATA_DIR) / "demo.json"


def _known() -> dict[str, Any] | None:
    if not demo_file().exists():
        return None
    made: dict[str, Any] = json.loads(demo_file().read_text(encoding="utf-8"))
    return {**made, "base_url": settings.PUBLIC_URL}  # the site may have moved to another port since


def _make() -> dict[str, Any]:
    prepare_database()
    made = world.build()
    draft = demo_file().with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=2)
    draft.replace(demo_file())
    return made


def _introduction(made: dict[str, Any]) -> str:
    people = ("patient", "facility_staff", "provider", "stranger")
    lines = [f"{who:<15} {made[who]['email']:<22} {made[who]['password']}" for who in people]
    new = made["new_patient"]
    return "\n".join([made["base_url"], *lines, f"claim code      {new['claim_code']}, born {new['birth_date']}"])
