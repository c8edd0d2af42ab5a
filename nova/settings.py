"""Settings of Nova. Everything that differs between machines comes from an environment variable; README lists them all."""

from __future__ import annotations

import secrets
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from nova import postgres
from nova.unfold import UNFOLD as UNFOLD

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = postgres.home()  # NOVA_HOME
PRODUCTION = env.bool("NOVA_PRODUCTION", default=False)
DEBUG = env.bool("NOVA_DEBUG", default=False)


def _secret(variable: str, filename: str, *, size: int = 32) -> str:
    """A secret from the environment, from the file named by <variable>_FILE, or (never in production) made once in NOVA_HOME."""
    if value := str(env.str(variable, default="")):
        return value
    if path := env.str(f"{variable}_FILE", default=""):
        return Path(path).read_text(encoding="utf-8").strip()
    if PRODUCTION:
        raise ImproperlyConfigured(f"Set {variable} (or {variable}_FILE): production uses no secret of Nova's own making.")
    kept = HOME / filename
    try:
        return kept.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        pass
    HOME.mkdir(parents=True, exist_ok=True)
    value = urlsafe_b64encode(secrets.token_bytes(size)).decode()
    try:
        with kept.open("x", encoding="utf-8") as handle:
            kept.chmod(0o600)
            handle.write(value)
    except FileExistsError:
        return kept.read_text(encoding="utf-8").strip()
    return value


def _host(variable: str, default: str) -> str:
    """The address of an outside API. Plain http is for this machine only."""
    value: str = str(env.str(variable, default=default)).rstrip("/")
    parts = urlsplit(value.replace("{shop}", "shop"))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise ImproperlyConfigured(f"{variable} must be an https address (http only for this machine), not {value!r}.")
    return value


SECRET_KEY = _secret("NOVA_SECRET_KEY", "secret_key", size=48)
#: Fernet key under which the keys of personal data and the shops' tokens lie.
NOVA_ENCRYPTION_KEY = _secret("NOVA_ENCRYPTION_KEY", "encryption_key")

ALLOWED_HOSTS = env.list("NOVA_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("NOVA_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "import_export",
    "pgtrigger",
    "pghistory",
    "django_q",
    "nova",
    "channels",
    "inventory",
    "ledger",
    "creators",
]

MIDDLEWARE = [
    "nova.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "nova.middleware.CompanyZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "nova.urls"
WSGI_APPLICATION = "nova.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Database: an own server by DATABASE_URL, else the embedded one, started by the first connection.
if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": env.db_url("DATABASE_URL")}
else:
    DATABASES = {"default": postgres.connection_settings()}
# Connections stay open: django-q2's ORM broker is ten times slower when each call opens one.
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "nova.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
#: Who signs in without having asked for a page comes home.
LOGIN_REDIRECT_URL = "home"

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["nova.formats"]
TIME_ZONE = "UTC"  # pages show the company's zone

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("NOVA_STATIC_ROOT", default=str(HOME / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
if not PRODUCTION:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # empty until `collectstatic`; WhiteNoise warns where it is missing
FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
DATA_UPLOAD_MAX_NUMBER_FILES = 200

# Background work. A task that died is tried again after `retry` seconds, which must exceed `timeout`.
Q_CLUSTER = {
    "name": "nova",
    "orm": "default",
    "workers": env.int("NOVA_WORKERS", default=2),
    "timeout": 3600,
    "retry": 3900,
    "max_attempts": 3,
    "poll": 0.2,
    "catch_up": False,
    "ack_failures": True,
    "save_limit": 1000,
    "sync": env.bool("NOVA_TASKS_INLINE", default=False),
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {"TITLE": "Nova", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

# Outside APIs: settings, so that Nova can be pointed at another implementation of the same API.
NOVA_TIKTOK_API_URL = _host("NOVA_TIKTOK_API_URL", "https://open-api.tiktokglobalshop.com")
NOVA_TIKTOK_AUTH_URL = _host("NOVA_TIKTOK_AUTH_URL", "https://auth.tiktok-shops.com")
NOVA_TIKTOK_AUTHORIZE_URL = _host("NOVA_TIKTOK_AUTHORIZE_URL", "https://services.tiktokshop.com/open/authorize")
NOVA_TIKTOK_AUTHORIZE_URL_US = _host("NOVA_TIKTOK_AUTHORIZE_URL_US", "https://services.tiktokshops.us/open/authorize")
#: Call -> version, where another than in channels.tiktok.client.versions is wanted: "payments=202605,orders=202507".
NOVA_TIKTOK_VERSIONS = env.dict("NOVA_TIKTOK_VERSIONS", default={})
NOVA_TIKTOK_ADS_URL = _host("NOVA_TIKTOK_ADS_URL", "https://business-api.tiktok.com")
NOVA_AMAZON_API_URL_NA = _host("NOVA_AMAZON_API_URL_NA", "https://sellingpartnerapi-na.amazon.com")
NOVA_AMAZON_API_URL_EU = _host("NOVA_AMAZON_API_URL_EU", "https://sellingpartnerapi-eu.amazon.com")
NOVA_AMAZON_API_URL_FE = _host("NOVA_AMAZON_API_URL_FE", "https://sellingpartnerapi-fe.amazon.com")
NOVA_AMAZON_LWA_URL = _host("NOVA_AMAZON_LWA_URL", "https://api.amazon.com")
NOVA_AMAZON_ADS_URL = _host("NOVA_AMAZON_ADS_URL", "https://advertising-api.amazon.com")
NOVA_SHOPIFY_URL = _host("NOVA_SHOPIFY_URL", "https://{shop}.myshopify.com")
#: Supported until its sunset, 12 months after it came (channels.shopify.client.graphql.sunset).
NOVA_SHOPIFY_API_VERSION = env.str("NOVA_SHOPIFY_API_VERSION", default="2026-10")

# Security. The rest needs TLS in front and is switched on for production.
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "nova.errors.csrf_failure"
if PRODUCTION:
    if not env.str("DATABASE_URL", default=""):
        raise ImproperlyConfigured("Set DATABASE_URL: production runs on a PostgreSQL server of its own.")
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("NOVA_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("NOVA_LOG_LEVEL", default="WARNING")},
    "loggers": {"django.request": {"level": "ERROR"}, "django-q": {"level": "WARNING"}, "waitress.queue": {"level": "ERROR"}},
}
TESTING = "pytest" in sys.modules
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    Q_CLUSTER["sync"] = True
