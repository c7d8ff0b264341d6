"""How passwords are kept."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """Argon2id as OWASP asks for it: 19 MiB, two passes, one lane; about 40 ms.

    Django's own measure (100 MiB in eight threads) is no stronger where it matters, and sixty sign-ins at a time
    would take 6 GiB.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
