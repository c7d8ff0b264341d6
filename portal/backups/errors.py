"""Why a backup or a restore did not happen, in a sentence, with what to do next."""

from __future__ import annotations

from accounts.errors import PortalError, Words


class BackupRefused(PortalError):
    """Nothing was changed."""

    code = "backup_refused"

    def __init__(self, message: Words, hint: Words) -> None:
        super().__init__(message, hint=hint)
