"""The site: settings, routes and policies, pages, the one door for bytes, the worker."""

from __future__ import annotations

from portal.celery import app as celery_app

__all__ = ["celery_app"]
