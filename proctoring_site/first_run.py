"""What a newcomer finds on an empty database: a first staff account and demo sessions to look at."""

import importlib
import importlib.util
import secrets
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db import IntegrityError

from sessions_app.models import Session

USERNAME = "admin"
DEMO = "proctoring_site.demo"


@dataclass(frozen=True)
class FirstRun:
    """`password` is None when no account was created; it is known here and never again."""

    username: str | None = None
    password: str | None = None
    demo_sessions: int = 0


def prepare(*, production: bool) -> FirstRun:
    """On a database without any account and any session, and never in production."""
    users = get_user_model().objects
    if production or users.exists() or Session.objects.exists():
        return FirstRun()
    password = secrets.token_urlsafe(12)
    try:
        users.create_superuser(USERNAME, password=password)
    except IntegrityError:
        return FirstRun()  # another process was first
    return FirstRun(USERNAME, password, _load_demo())


def _load_demo() -> int:
    if importlib.util.find_spec(DEMO) is None:
        return 0
    return importlib.import_module(DEMO).load()
