"""Start-up checks: each names one dangerous mix, with an id and a hint."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.module_loading import import_string

from portal.counting import counted
from portal.policies import POLICIES, routes
from studies import sandbox
from studies.store import scrub

# Of what `sandbox.confinement` may name; limits hold everywhere.
CONFINEMENT = ("no new privileges", "file system", "system calls")


@register(Tags.security)
def every_route_has_a_policy(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Default-deny covers third-party routes too, and DRF's, which LoginRequiredMiddleware leaves open."""
    known = dict(routes())
    missing = [
        Error(
            f"The route {name!r} ({pattern}) declares no policy.",
            hint="Add a row to portal.policies.POLICIES.",
            id="portal.E001",
        )
        for name, pattern in known.items()
        if name not in POLICIES
    ]
    stale = [
        Error(f"The policy row {name!r} belongs to no route.", hint="Remove the row.", id="portal.E002")
        for name in POLICIES
        if name not in known
    ]
    return [*missing, *stale]


@register(Tags.security)
def sign_in_is_protected(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Settings that Django's own deploy checks do not know."""
    found: list[CheckMessage] = []
    if settings.DEBUG and settings.HTTPS:
        found.append(
            Error(
                "DEBUG is on under an https PUBLIC_URL.",
                hint="Unset DEBUG: its error pages show what people see.",
                id="portal.E003",
            )
        )
    if settings.DATABASES["default"].get("ATOMIC_REQUESTS"):
        found.append(
            Error(
                "ATOMIC_REQUESTS would roll refusals out of the audit.",
                hint="Leave it off; verbs open their own transactions.",
                id="portal.E004",
            )
        )
    if settings.SECRET_KEY == settings.MASTER_KEY:
        found.append(
            Error(
                "SECRET_KEY and MASTER_KEY are the same.",
                hint="Give each a value of its own.",
                id="portal.E005",
            )
        )
    if not settings.STAFF_MFA and not settings.DEMO:
        found.append(
            Warning(
                "Staff and providers sign in with a password alone.",
                hint="Unset STAFF_MFA: a stolen password then opens nobody's images.",
                id="portal.W002",
            )
        )
    return found


@register(Tags.security)
def forms_are_protected(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """What security.W003 looks for by the name of Django's own class, for any class of its kind."""
    middleware = [import_string(name) for name in settings.MIDDLEWARE]
    if any(isinstance(one, type) and issubclass(one, CsrfViewMiddleware) for one in middleware):
        return []
    return [
        Error(
            "Forms are not protected against forged requests.",
            hint="Put portal.security.Csrf into MIDDLEWARE.",
            id="portal.E006",
        )
    ]


@register(Tags.security, deploy=True)
def foreign_files_are_confined(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Whether this machine can keep a child that reads foreign files from files and network. Starts one to ask."""
    missing = [one for one in CONFINEMENT if one not in sandbox.shared.confinement]
    if not missing:
        return []
    return [
        Warning(
            f"What reads foreign files is not confined here by: {', '.join(missing)}.",
            hint="Run on Linux 5.13 or later (x86_64 or aarch64) with seccomp and Landlock: a hostile file that takes"
            " its reader over meets one wall less before files and network.",
            id="portal.W003",
        )
    ]


@register(Tags.database)
def sqlite_is_sound(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """SQLite before 3.51.3 can, very rarely, damage a database when a WAL is reset under load."""
    asked = options.get("databases")  # as Django's own database checks: `manage.py check --database default`
    if not asked or not settings.EMBEDDED or sqlite3.sqlite_version_info >= (3, 51, 3):
        return []
    return [
        Warning(
            f"SQLite {sqlite3.sqlite_version} has a rare WAL-reset defect, fixed in 3.51.3.",
            hint="Fine for trying Lightbox out; use PostgreSQL (DATABASE_URL) for patients.",
            id="portal.W001",
        )
    ]


@register(Tags.database)
def nothing_is_damaged(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Whether readers, the scrub or `verify` met damage that nobody has mended yet."""
    if not options.get("databases") or connection.introspection.table_names() == []:
        return []
    count = sum(scrub.damaged().values())
    if not count:
        return []
    return [
        Warning(
            f"{counted(count, 'stored object is', 'stored objects are')} damaged.",
            hint="Put their files back from a backup and run `manage.py verify`, which names them; or have their"
            " facility send the studies again.",
            id="portal.W004",
        )
    ]
