"""Why a backup or a restore did not happen, in a sentence, with what to do next."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError, Words


class BackupRefused(PortalError):
    """Nothing was changed."""

    code = "backup_refused"
    hint = _("Nothing was changed. docs/operations.md tells how to back up and restore.")

    def __init__(self, message: Words, hint: Words) -> None:
        super().__init__(message, hint=hint)
