"""Every setting, in a fixed order; the environment is read through the typed readers of env.py only."""

from datetime import timedelta
from pathlib import Path

from corsheaders.defaults import default_headers

from proctoring_site import env
from proctoring_site.mongo_engine import mongodb_url, no_maps

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What this process is -----------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
PRODUCTION = env.flag("PRODUCTION")  # no first account, no demo sessions
DATA_DIR = env.path("DATA_DIR", BASE_DIR / "data")
# `make run` keeps a random key beside the data; production must set its own, and the start stops without one.
SECRET_KEY = env.secret("SECRET_KEY") or ("" if PRODUCTION else env.first_line(DATA_DIR / "secret_key"))
# What these have signed stays good, while all that is new is signed by the one above.
SECRET_KEY_FALLBACKS = env.items_of(env.secret("SECRET_KEY_FALLBACKS"))
ALLOWED_HOSTS = env.text_list("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.text_list("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = env.text_list("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST"]
_TUS_HEADERS = ["Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset", "Upload-Checksum"]
CORS_ALLOW_HEADERS = [*default_headers, *map(str.lower, _TUS_HEADERS), "x-http-method-override", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    *("Link", "Retry-After", "X-Request-ID", "Location", "Upload-Offset", "Upload-Length", "Upload-Expires"),
    *("Tus-Resumable", "Tus-Version", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm"),
]

# --- Apps and the way of a request --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "proctoring_site.apps.SiteConfig",
    "proctoring_site.desk.apps.DeskConfig",
    "reports_app",
    "media_app",
    "sessions_app.review.apps.ReviewConfig",
    "sessions_app",
    "proctoring_site.access.apps.AccessConfig",
    "proctoring_site.audit.apps.AuditConfig",
    "proctoring_site.jobs.apps.JobsConfig",
    "proctoring_site.apps.MongoAxesConfig",
    "proctoring_site.apps.MongoAdminConfig",
    "proctoring_site.apps.MongoAuthConfig",
    "proctoring_site.apps.MongoContentTypesConfig",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_mongodb_backend",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "proctoring_site.calls.access_log.AccessLogMiddleware",  # the outermost: it sees whatever the others answer
    "proctoring_site.audit.actors.ActorMiddleware",
    "proctoring_site.calls.answer_headers.AnswerHeadersMiddleware",
    "proctoring_site.calls.outage.DatabaseOutageMiddleware",
    "proctoring_site.calls.short_way.ShortWayBegins",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # the answer to a locked login; looks at nothing else
    "proctoring_site.calls.short_way.ShortWayEnds",
]
ROOT_URLCONF = "proctoring_site.urls"
WSGI_APPLICATION = "proctoring_site.wsgi.application"
APPEND_SLASH = True  # for the admin; the API has no trailing slashes
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

# --- Between a browser and us ----------------------------------------------------------------------------------------
# TLS ends at a proxy. TRUSTED_PROXY says that it overwrites X-Forwarded-Proto; without it, anybody could send that.
TRUSTED_PROXY = env.flag("TRUSTED_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY else None
SECURE_SSL_REDIRECT = env.flag("SSL_REDIRECT", default=TRUSTED_PROXY)
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]  # asked from within, without TLS
SECURE_HSTS_SECONDS = env.seconds("HSTS_SECONDS", 365 * 24 * 3600, least=0) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS")
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD")
# The two speak for hosts that are not this service, and a browser's list forgets slowly: whoever owns the domain turns
# them on by their settings. That they are off is a decision, so `check --deploy` need not ask again.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- Database -----------------------------------------------------------------------------------------------------
EMBEDDED_MONGODB_DIR = DATA_DIR / "mongodb"
MONGODB_URL = mongodb_url.with_options(
    env.secret("MONGODB_URL") or env.first_line(EMBEDDED_MONGODB_DIR / "url") or mongodb_url.LOCALHOST
)
no_maps.install()
DATABASES = {
    "default": {
        "ENGINE": "proctoring_site.mongo_engine",
        "HOST": MONGODB_URL,
        "NAME": env.text("MONGODB_DATABASE", "proctoring"),
    }
}
SHORT_WRITE_LIMIT_S = env.seconds("SHORT_WRITE_LIMIT_S", 3)  # outage.py: what an event may ask of the database
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {
    "admin": "proctoring_site.mongo_migrations.admin",
    "auth": "proctoring_site.mongo_migrations.auth",
    "axes": "proctoring_site.mongo_migrations.axes",
    "contenttypes": "proctoring_site.mongo_migrations.contenttypes",
}

# --- Storage of videos and reports --------------------------------------------------------------------------------
STORAGE_BACKEND = env.text("STORAGE_BACKEND", "deta" if env.flag("DETA_SPACE_APP") else "local")
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    "videos": {"BACKEND": "media_app.storage.SwitchingStorage", "OPTIONS": {"drive": "videos"}},
    "reports": {"BACKEND": "media_app.storage.SwitchingStorage", "OPTIONS": {"drive": "reports"}},
}
SENDFILE = env.choice("SENDFILE", ("ourselves", "nginx"), "ourselves")  # who sends what lies on the local disk
SENDFILE_URL = env.text("SENDFILE_URL", "/protected/")  # nginx's internal location over DATA_DIR
DETA_PROJECT_KEY = env.secret("DETA_PROJECT_KEY")
DETA_DRIVE_HOST = env.text("DETA_DRIVE_HOST", "drive.deta.sh")  # with its port, when that is not 443
# Read by django-storages. Without keys, boto3 looks where it always does: the machine's role, ~/.aws.
AWS_STORAGE_BUCKET_NAME = env.text("AWS_STORAGE_BUCKET_NAME")
AWS_S3_ENDPOINT_URL = env.text("AWS_S3_ENDPOINT_URL") or None  # of any S3-compatible server
AWS_S3_REGION_NAME = env.text("AWS_S3_REGION_NAME") or None
AWS_ACCESS_KEY_ID = env.secret("AWS_ACCESS_KEY_ID") or None
AWS_SECRET_ACCESS_KEY = env.secret("AWS_SECRET_ACCESS_KEY") or None
AWS_S3_SIGNATURE_VERSION = "s3v4"
# From where a page of ours may play a video: where the links of S3 lead. Also while new files go elsewhere, since each
# recording stays where it lies until it is moved. Without the endpoint's path: a browser would take that for one file.
_LINKS_LEAD_TO = "/".join((AWS_S3_ENDPOINT_URL or "https://*.amazonaws.com").split("/")[:3])
MEDIA_ORIGINS = env.text_list("MEDIA_ORIGINS", (_LINKS_LEAD_TO,) if AWS_STORAGE_BUCKET_NAME else ())
STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = True  # serves the apps' static files without a collectstatic step

# --- Uploads and request bodies -----------------------------------------------------------------------------------
VIDEO_MAX_BYTES = env.positive_int("VIDEO_MAX_BYTES", 2 * 1024**3)
RECORDINGS_PER_SESSION_MAX = env.positive_int("RECORDINGS_PER_SESSION_MAX", 50)
RECORDINGS_PER_SESSION_MAX_BYTES = env.positive_int("RECORDINGS_PER_SESSION_MAX_BYTES", 20 * 1024**3)  # all together
# In one process; each holds a thread for as long as its sender takes.
RECORDINGS_AT_ONCE = env.positive_int("RECORDINGS_AT_ONCE", max(1, env.web_threads() * 3 // 4))
UPLOAD_EXPIRES_AFTER_S = env.seconds("UPLOAD_EXPIRES_AFTER_S", 24 * 3600)  # without another part
UPLOAD_CLAIM_S = env.seconds("UPLOAD_CLAIM_S", 20)  # a writer that brings something renews five times as often
KEEP_ORIGINALS = env.flag("KEEP_ORIGINALS")  # also when the file made of it to be watched was verified
VIDEO_IMPORT_DIR = env.path("VIDEO_IMPORT_DIR", BASE_DIR / "frontend" / "data")
JSON_BODY_MAX_BYTES = env.positive_int("JSON_BODY_MAX_BYTES", 1024**2)
FILE_UPLOAD_PERMISSIONS = 0o640

# --- Background work ----------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.secret("CELERY_BROKER_URL")  # redis:// or amqp://; without, the web server's workers do it
JOBS = "celery" if CELERY_BROKER_URL else "threads"  # "by hand" in the tests
JOB_LEASE_S = env.seconds("JOB_LEASE_S", 30)  # a worker that lives renews three times as often

# --- Score --------------------------------------------------------------------------------------------------------
SCORE_WEIGHTS = env.weights("SCORE_WEIGHTS")  # on top of sessions_app.scoring.DEFAULT_WEIGHTS

# --- Sessions -----------------------------------------------------------------------------------------------------
EVENTS_PER_SESSION_MAX = env.positive_int("EVENTS_PER_SESSION_MAX", 50_000)  # of types that weigh, a fifth more
EVENT_GRACE_S = env.seconds("EVENT_GRACE_S", 120, least=0)  # how long after the end events are still taken, marked late
HEARTBEAT_EVERY_S = env.seconds("HEARTBEAT_EVERY_S", 10)  # what a client is told to do
HEARTBEAT_MISSING_AFTER_S = env.seconds("HEARTBEAT_MISSING_AFTER_S", 30)  # three beats lost in a row
SESSION_EXPIRES_AFTER_S = env.seconds("SESSION_EXPIRES_AFTER_S", 4 * 3600)  # for close_stale_sessions

# --- Who may do what ----------------------------------------------------------------------------------------------
OPEN_API = env.flag("OPEN_API")  # everybody may do everything on the API, as in the earlier service
SESSION_CREATION = env.choice("SESSION_CREATION", ("open", "token"), "open")
CANDIDATE_TOKEN_MAX_AGE_S = env.seconds("CANDIDATE_TOKEN_MAX_AGE_S", 24 * 3600)
LINK_MAX_AGE_S = env.seconds("LINK_MAX_AGE_S", 5 * 60)
# Per address, and 0 is without limit. A hall of candidates may come from one address, all in the same minute.
SESSION_CREATION_PER_MINUTE = env.whole_number("SESSION_CREATION_PER_MINUTE", 300)
ANONYMOUS_PER_MINUTE = env.whole_number("ANONYMOUS_PER_MINUTE", 600)

# --- The API ------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "proctoring_site.access.authentication.OpenToAnybody",
        "proctoring_site.access.authentication.BearerToken",
        "proctoring_site.access.authentication.StaffCookie",
        "proctoring_site.access.authentication.Nobody",
    ],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PARSER_CLASSES": ["proctoring_site.calls.json_only.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["proctoring_site.calls.json_only.QuickJSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "proctoring_site.calls.json_only.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "proctoring_site.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "proctoring_site.errors.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Proctoring backend",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "proctoring_site.openapi.describe"],
    "VERSION": "0.2.0",
    "OAS_VERSION": "3.1.1",
    # The two others are not a caller's choice: whoever sends nothing is nobody, and OPEN_API asks for nothing.
    "AUTHENTICATION_WHITELIST": [
        "proctoring_site.access.authentication.BearerToken",
        "proctoring_site.access.authentication.StaffCookie",
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_SUFFIX": "",
    "ENUM_NAME_OVERRIDES": {"State": "sessions_app.states.State", "RiskBand": "sessions_app.scoring.BAND_NAMES"},
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Language and time --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"

# --- Accounts -----------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # for a `next` that leads to another host
# From the login on, whatever is done meanwhile. Django's two weeks are long for a desk at which others sit, too.
SESSION_COOKIE_AGE = env.seconds("LOGIN_MAX_AGE_S", 24 * 3600)
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_PER_MINUTE = env.whole_number("LOGIN_PER_MINUTE", 30)  # tries from one address, whichever names; 0: any number
# A name is locked for the address that guesses at it, so that nobody elsewhere can lock its owner out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.positive_int("LOGIN_FAILURES", 5)
# From the last failure before the lock; no longer than the database remembers failures (mongo_migrations/axes/0002).
AXES_COOLOFF_TIME = timedelta(seconds=min(env.seconds("LOGIN_LOCK_S", 15 * 60), 24 * 3600))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "proctoring_site.access.login.address_of"
AXES_HANDLER = "proctoring_site.access.login.LoginFailures"
AXES_LOCKOUT_CALLABLE = "proctoring_site.access.login.locked"
AXES_DISABLE_ACCESS_LOG = True  # the audit log has every login
AXES_ENABLE_ADMIN = False  # there is nothing to read; the axes_… commands end a lock
AXES_VERBOSE = False

# --- Log ----------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"), "json" if PRODUCTION else "text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_only": {"()": "proctoring_site.log_lines.RequestOnly"},
        "no_repetition": {"()": "proctoring_site.log_lines.NoRepetition"},
        "no_trace": {"()": "proctoring_site.log_lines.NoTrace"},
    },
    "formatters": {
        "text": {"()": "proctoring_site.log_lines.TextLine"},
        "json": {"()": "proctoring_site.log_lines.JSONLine"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_only", "no_trace"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.request": {"filters": ["no_repetition"]},
        "django.server": {"level": "CRITICAL"},  # runserver's own access lines, with paths and queries
        "celery": {"level": "WARNING"},  # below that, each message; ours tells of each job
        "axes": {"level": "WARNING"},  # below that, what it does at each login; ours tells of a lock
        "httpx": {"level": "WARNING"},  # below that, it logs every address, which names a session
        "pymongo": {"level": "INFO"},  # below that, it logs every command with its data
        # Below that, of each call to S3: the object's name, the access key's id, and all that a signed link is made of.
        **{name: {"level": "WARNING"} for name in ("boto3", "botocore", "s3transfer", "urllib3")},
    },
}
