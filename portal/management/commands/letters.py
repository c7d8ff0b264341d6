"""`manage.py letters`: what could not be sent, and what was given up."""

from __future__ import annotations

from typing import Any

from accounts import letters
from accounts.models import Letter
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = "Lists the letters that were tried in vain. Their words and addresses stay where they are."

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        found = list(letters.undelivered())
        lines = [_line(letter) for letter in found] or ["Every letter that was tried has gone out."]
        self.answer({"letters": [_fields(letter) for letter in found]}, "\n".join(lines), as_json=json)


def _line(letter: Letter) -> str:
    state = "given up" if letter.failed_at else f"again at {letter.due_at:%Y-%m-%d %H:%M}"
    return f"{letter.pk}  {letter.template}  written {letter.created_at:%Y-%m-%d %H:%M}  {letter.failure}, {state}"


def _fields(letter: Letter) -> dict[str, Any]:
    return {
        "id": str(letter.pk),
        "template": letter.template,
        "created_at": letter.created_at.isoformat(),
        "attempts": letter.attempts,
        "failure": letter.failure,
        "given_up": letter.failed_at is not None,
    }
