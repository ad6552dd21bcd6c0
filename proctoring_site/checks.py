"""Bad combinations of settings, found before the first request, each with what to set instead."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from media_app.storage import BACKENDS, backend_class_path, missing_settings

PRELOAD_MIN_S = 31_536_000
#: Of what is used as it was given: its whole shape, and what it looks like.
SHAPES: Mapping[str, tuple[str, str]] = {
    "ALLOWED_HOSTS": (r"\*|[^\s/:]+|\[[0-9a-fA-F:.]+\]", "exam.example.org, without https:// and port"),
    "MEDIA_ORIGINS": (r"(https?://)?[^\s;,/]+(/[^\s;,]*)?", "https://media.example.org"),
    "SENDFILE_URL": (r"/\S*", "/protected/"),
    "DETA_DRIVE_HOST": (r"([^\s/:@]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?", "drive.example.org, without https://"),
    "AWS_STORAGE_BUCKET_NAME": (r"[A-Za-z0-9._-]{1,255}|arn:\S+", "exam-recordings"),
    "AWS_S3_ENDPOINT_URL": (r"https?://[^\s;,?#/]+(/[^\s;,?#]*)?", "https://s3.example.org"),
    "AWS_S3_REGION_NAME": (r"[A-Za-z0-9-]{1,63}", "eu-central-1"),
    "CELERY_BROKER_URL": (
        r"(rediss?|redis\+socket|sentinel|(py)?amqp|amqps)://\S+",
        "redis://host:6379/0 or amqp://…",
    ),
}


@register()
def storage_backend(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    name = settings.STORAGE_BACKEND
    try:
        backend_class_path(name)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=f"Set STORAGE_BACKEND to one of {', '.join(BACKENDS)}.", id="proctoring.E001")]
    return [
        Error(f"STORAGE_BACKEND={name} needs {key}.", hint=f"Set {key} in the environment.", id="proctoring.E002")
        for key in missing_settings(name)
    ]


@register()
def deta_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A Deta data key is {project id}_{secret}; without the underscore no address can be made of it."""
    if settings.STORAGE_BACKEND == "deta" and settings.DETA_PROJECT_KEY and "_" not in settings.DETA_PROJECT_KEY:
        hint = "Copy the whole data key, with its underscore."
        return [Error("DETA_PROJECT_KEY is not a Deta data key.", hint=hint, id="proctoring.E004")]
    return []


@register()
def production_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Django itself notices an empty key at the first request that needs it, which is after the start."""
    if not settings.PRODUCTION:
        return []
    try:
        _ = settings.SECRET_KEY
    except ImproperlyConfigured:
        hint = "Set SECRET_KEY to 50 random characters, the same at every start."
        return [Error("PRODUCTION needs a SECRET_KEY.", hint=hint, id="proctoring.E005")]
    return []


@register()
def open_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.OPEN_API:
        hint = "Only on a network where everybody may see every candidate. Unset OPEN_API and give out tokens."
        return [Warning("OPEN_API LETS ANYBODY READ AND WRITE EVERYTHING.", hint=hint, id="proctoring.W001")]
    return []


@register()
def preload(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What the browsers' list asks of a host (https://hstspreload.org/)."""
    long_enough = settings.SECURE_HSTS_SECONDS >= PRELOAD_MIN_S and settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
    if settings.SECURE_HSTS_PRELOAD and not long_enough:
        hint = f"Set HSTS_INCLUDE_SUBDOMAINS=1 and HSTS_SECONDS={PRELOAD_MIN_S} or more, or leave HSTS_PRELOAD off."
        return [Error("HSTS_PRELOAD needs subdomains and a year.", hint=hint, id="proctoring.E006")]
    return []


@register()
def shapes(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Else each request that needs such a value fails, or all are refused. No value is repeated: it may hold a key."""
    return [
        Error(f"{name} must look like {example}.", hint=f"Correct {name} in the environment.", id="proctoring.E007")
        for name, (shape, example) in SHAPES.items()
        if not all(re.fullmatch(shape, value) for value in _values(name))
    ]


def _values(name: str) -> list[str]:
    """One, any number, or none."""
    given = getattr(settings, name)
    return [given] if isinstance(given, str) and given else list(given or ())


@register()
def heartbeats(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.HEARTBEAT_MISSING_AFTER_S <= settings.HEARTBEAT_EVERY_S:
        hint = "Set HEARTBEAT_MISSING_AFTER_S to two or three times HEARTBEAT_EVERY_S."
        return [Warning("Every client counts as missing between two heartbeats.", hint=hint, id="proctoring.W002")]
    return []
