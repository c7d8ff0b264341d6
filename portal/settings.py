"""The one settings file. Every value may come from the environment; the README's table explains each.

Without any variable set this is the embedded site: SQLite, local disk, a worker on the same machine.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured

from portal.environment import env, env_flag, env_number, own_secret
from portal.ohif import installed, serving
from studies.store.masterkeys import stamp_of
from studies.store.sealing import KeyRefused, read_master_key
from studies.store.storage import StoreRefused, open_store

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env("DATA_DIR") or BASE_DIR / "data").absolute()

DEBUG = env_flag("DEBUG")
TESTING = False  # tests.settings says otherwise
DEMO = (DATA_DIR / "demo.json").exists()

# --- Where the site is -------------------------------------------------------------------------------

ADDRESS_FILE = DATA_DIR / "public_url"


def _public_url() -> str:
    """`PUBLIC_URL`, else the address that `up` wrote down, else the address `up` uses by default."""
    written = ADDRESS_FILE.read_text(encoding="ascii").strip() if ADDRESS_FILE.exists() else ""
    url = (env("PUBLIC_URL") or written or "http://127.0.0.1:8000").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise ImproperlyConfigured(f"PUBLIC_URL must look like https://images.example.org, not {url!r}.")
    return url


PUBLIC_URL = _public_url()
HTTPS = PUBLIC_URL.startswith("https://")
_host = urlsplit(PUBLIC_URL).hostname or ""
_LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [name.strip() for name in env("ALLOWED_HOSTS").split(",") if name.strip()] or list(
    dict.fromkeys([_host, *_LOOPBACK])
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXY_COUNT = env_number("TRUSTED_PROXY_COUNT", 0, high=10)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT

# --- Secrets -----------------------------------------------------------------------------------------

SECRETS_DIR = DATA_DIR / "secrets"
MASTER_KEY_PATH = SECRETS_DIR / "master.key"


def _master_key(key: str, name: str = "MASTER_KEY") -> str:
    """32 random bytes in base64. Studies are sealed with it: without it nothing can be read again."""
    try:
        read_master_key(key)
    except KeyRefused as refused:
        raise ImproperlyConfigured(f"{name}: {refused}") from refused
    return key


def _secret_key(key: str, name: str = "SECRET_KEY") -> str:
    """Long, and no placeholder: whoever guesses it makes sessions."""
    if len(key) < 32:
        raise ImproperlyConfigured(f"{name} must have at least 32 characters. Leave it unset to have one made.")
    if len(set(key)) < 10 or key.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"{name} looks like a placeholder. Leave it unset to have one made.")
    return key


# Where the site keeps the master key itself, `rotatekeys` replaces the file while the site runs: whoever uses the key
# compares the file with this stamp (see studies.store.masterkeys), which is therefore taken before the file is read.
MASTER_KEY_OWN_FILE = None if env("MASTER_KEY") else MASTER_KEY_PATH
MASTER_KEY_STAMP = None
if MASTER_KEY_OWN_FILE:
    own_secret(MASTER_KEY_OWN_FILE)
    MASTER_KEY_STAMP = stamp_of(MASTER_KEY_OWN_FILE)
MASTER_KEY = _master_key(env("MASTER_KEY") or own_secret(MASTER_KEY_PATH))
MASTER_KEY_FALLBACKS = [_master_key(key, "MASTER_KEY_FALLBACKS") for key in env("MASTER_KEY_FALLBACKS").split()]
SECRET_KEY = _secret_key(env("SECRET_KEY") or own_secret(SECRETS_DIR / "secret.key"))
SECRET_KEY_FALLBACKS = [_secret_key(key, "SECRET_KEY_FALLBACKS") for key in env("SECRET_KEY_FALLBACKS").split()]
SILENCED_SYSTEM_CHECKS = [
    "security.W009",  # wants 50 characters; the one made here holds 256 random bits in 44
    "security.W003",  # looks for Django's own class by name; portal.E006 looks for ours, which is one
]

# --- Apps --------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal",
    "sharing",
    "studies",
    "accounts",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "portal.security.AccessLog",
    "portal.security.SecurityHeaders",
    "portal.crowding.Bodies",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.front.Publishing",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.security.Csrf",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.security.SessionClock",
    "portal.security.DefaultDeny",
    "portal.second_factor.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.errors.Refusals",
    "allauth.account.middleware.AccountMiddleware",  # sees exceptions before Refusals: some of them are redirects
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False  # a missing slash must look like any other unknown address
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.site",
            ],
        },
    }
]

# --- Database ----------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    """SQLite in `DATA_DIR`, or PostgreSQL by `DATABASE_URL`; both as strict as they can be about durability."""
    url = env("DATABASE_URL")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "lightbox.sqlite3",
            # The last connection to close writes its journal back: a site with one sender would do so each time.
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",  # a read that turns into a write must not fail half-way
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-1000;"
                "PRAGMA mmap_size=134217728;",
            },
        }
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgresql://user:password@host:5432/name. Leave it unset for SQLite."
        )
    database: dict[str, Any] = {**dj_database_url.parse(url, conn_health_checks=True)}
    # psycopg's pool is shared by all threads of a process; Django's own persistent connections stay off.
    database["CONN_MAX_AGE"] = 0
    database["OPTIONS"] = {
        **database.get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": 20, "timeout": 20},
        "options": " ".join(f"-c {name}={value}" for name, value in _timeouts().items()),
    }
    return database


def _timeouts() -> dict[str, str]:
    """How long PostgreSQL lets a server's statement run, wait for a lock, or a transaction do nothing.

    Whoever dies in the middle must not hold others up. Commands may take their time: a migration builds indexes.
    """
    waits = {"lock_timeout": "20s", "idle_in_transaction_session_timeout": "60s"}
    return waits if Path(sys.argv[0]).name == "manage.py" else {**waits, "statement_timeout": "60s"}


DATABASES = {"default": _database()}
EMBEDDED = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache, broker, object store ---------------------------------------------------------------------


def _cache() -> dict[str, Any]:
    """Shared between workers always: throttles that live in one process alone protect nothing."""
    url = env("CACHE_URL")
    if not url:
        # A full cache drops what still counts: at Django's 300 entries, a busy hour would void every rate limit.
        options = {"MAX_ENTRIES": 20_000}
        return {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache", "OPTIONS": options}
    if not url.startswith(("redis://", "rediss://")):
        raise ImproperlyConfigured("CACHE_URL must look like redis://host:6379/1. Leave it unset for the database.")
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


CACHES = {"default": _cache()}
BROKER_URL = env("BROKER_URL")
if BROKER_URL and not BROKER_URL.startswith(("redis://", "rediss://", "amqp://", "amqps://", "memory://")):
    raise ImproperlyConfigured("BROKER_URL must begin with redis:// or amqp://. Leave it unset for the embedded one.")
OBJECT_STORE_URL = env("OBJECT_STORE_URL") or (DATA_DIR / "store").as_uri()
try:
    open_store(OBJECT_STORE_URL)
except StoreRefused as refused:
    raise ImproperlyConfigured(f"OBJECT_STORE_URL: {refused}") from refused

STORAGES = {
    "default": {"BACKEND": "studies.store.storage.PrivateStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_ALLOW_ALL_ORIGINS = False
if installed.ROOT.is_dir():  # what `manage.py ohif` installed, at the root of the site
    WHITENOISE_ROOT = installed.ROOT
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/ohif/|\.[0-9a-f]{12}\."  # a version or a digest stands in the address
WHITENOISE_ADD_HEADERS_FUNCTION = serving.headers

# --- Limits on what facilities send ------------------------------------------------------------------

MAX_INSTANCE_BYTES = 4 * 2**30
MAX_REQUEST_BYTES = env_number("MAX_REQUEST_BYTES", 20 * 2**30, low=2**20)
MAX_FACILITY_DAY_BYTES = 50 * 2**30
FREE_SPACE_FLOOR = 2**30
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20  # forms and reports; studies are streamed and never come near it

# --- Sign-in and sessions ----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "accounts.hashing.Argon2id",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # typed in the same tab, so a claim code is not lost on the way
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = False  # twelve hours are the most either way, so the question would promise what is not so
PASSWORD_RESET_TIMEOUT = 3600  # seconds; the letter says so

STAFF_MFA = env_flag("STAFF_MFA", default=not DEMO)
MFA_ADAPTER = "portal.second_factor.SealedSeeds"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Lightbox"
MFA_TOTP_TOLERANCE = 1  # clocks differ and fingers are slow; accounts.factors lets no code pass twice all the same
MFA_FORMS = {
    "authenticate": "accounts.factors.SecondStepForm",
    "reauthenticate": "accounts.factors.OnceMoreForm",
    "activate_totp": "accounts.factors.AppForm",
    "add_webauthn": "accounts.factors.PasskeyForm",
}

SESSION_IDLE = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(hours=12)
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SHARE_COOKIE_NAME = "__Host-share" if HTTPS else "share"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Browser protection ------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]  # the load balancer asks on plain http
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Mail --------------------------------------------------------------------------------------------

MAIL_DIR = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = f"Lightbox <no-reply@{_host}>"
if env("EMAIL_URL"):
    _mail = dj_email_url.parse(env("EMAIL_URL"))
    EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_BACKEND"], _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail["EMAIL_USE_TLS"], _mail["EMAIL_USE_SSL"]
    EMAIL_TIMEOUT = 10
elif DEMO:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # its letter box shows the outbox
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(MAIL_DIR)

BOUNCES_TO = env("BOUNCES_TO")  # where mail servers return letters, to be piped to `manage.py bounces`
if BOUNCES_TO and "@" not in BOUNCES_TO:
    raise ImproperlyConfigured("BOUNCES_TO must be an e-mail address, like bounces@example.org.")
TEXTS_URL, TEXTS_TOKEN = env("TEXTS_URL"), env("TEXTS_TOKEN")
if TEXTS_URL and not TEXTS_URL.startswith(("https://", "http://")):
    raise ImproperlyConfigured("TEXTS_URL must be the https address that takes text messages.")

# --- Language and time -------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [DATA_DIR / "locale"]  # compiled from the texts in locale/, see portal.translations
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- API ---------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.PersonAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.DenyAll"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.errors.api_refusal",
    "UNICODE_JSON": False,  # what a stranger sent may be half a character, and a refusal may quote it
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lightbox",
    "DESCRIPTION": "The facility's and the patient's API.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

# --- Logs: route names, states and times; never a path, a query or a person ---------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},  # a logger without any handler falls back to stderr
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "lightbox": {"level": "INFO"},
        # Django's own request lines carry the path, and paths may carry UIDs: the access log replaces them.
        "django.request": {"handlers": ["nowhere"], "propagate": False},
        "django.security": {"handlers": ["nowhere"], "propagate": False},
        "django.server": {"handlers": ["nowhere"], "propagate": False},
    },
}
