from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import checks  # noqa: F401 - registers them
        from portal.translations import compile_translations

        compile_translations(settings.BASE_DIR / "locale", settings.LOCALE_PATHS[0])
