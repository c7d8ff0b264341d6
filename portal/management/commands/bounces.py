"""`manage.py bounces`: read a message on standard input, as a mail server pipes it: which letter came back?"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from accounts import bounces


class Command(BaseCommand):
    help = "Read a returned letter on standard input, and note it. For the alias behind BOUNCES_TO."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Take one message. Whatever it is, the mail server is told that it was taken: it cannot do better."""
        noted = bounces.take(sys.stdin.buffer.read(bounces.LARGEST))
        self.stdout.write("Noted: a letter came back." if noted else "Nothing to note: no letter of ours came back.")
