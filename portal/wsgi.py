"""The WSGI application. WSGI, not ASGI: Django's sync middleware costs a thread hop per request there."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from portal.embedded.supervisor import die_with_parent
from portal.riding import Riding

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
if os.environ.get("LIGHTBOX_SUPERVISED"):
    die_with_parent()  # a server worker must not outlive a server that was killed

application = Riding(get_wsgi_application())
