"""What a newcomer finds on an empty database: a first staff account and demo sessions to look at."""

import secrets
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db import IntegrityError

from proctoring_site.launch import demo
from sessions_app.models import Session

USERNAME = "admin"


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
    new_sessions = demo.load()  # first, so that the password of an account that exists was certainly shown
    password = secrets.token_urlsafe(12)
    try:
        users.create_superuser(USERNAME, password=password)
    except IntegrityError:
        return FirstRun(demo_sessions=new_sessions)  # another process was first
    return FirstRun(USERNAME, password, new_sessions)
