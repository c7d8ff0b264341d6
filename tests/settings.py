"""The site's own settings over a data folder of the test's own; nothing outside it is read or written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="lightbox-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["DATA_DIR"] = _folder
os.environ.pop("PUBLIC_URL", None)

from portal.settings import *  # noqa: E402, F403

TESTING = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "studies.store.storage.PrivateStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; the real one has a test of its own
if EMBEDDED:  # noqa: F405
    # In a file: threads that share a database in memory do not wait for each other's locks.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}  # noqa: F405
# The pool keeps connections that stand in the way of dropping the test database; journeys use the real settings.
DATABASES["default"].get("OPTIONS", {}).pop("pool", None)  # noqa: F405
