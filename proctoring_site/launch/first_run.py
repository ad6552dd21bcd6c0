"""What a newcomer finds on an empty database: a first staff account and demo sessions to look at."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError

from proctoring_site.launch import demo
from sessions_app.models import Session

USERNAME = "admin"


def prepare(*, production: bool) -> dict[str, Any]:
    """On a database without any account and any session, and never in production. Answers with what there is to tell:
    `username`, `password` (known here and never again), `demo_sessions`."""
    users = get_user_model().objects
    if production or users.exists() or Session.objects.exists():
        return {}
    new_sessions = demo.load()  # first, so that the password of an account that exists was certainly shown
    password = secrets.token_urlsafe(12)
    try:
        users.create_superuser(USERNAME, password=password)
    except IntegrityError:
        return {"demo_sessions": new_sessions}  # another process was first
    return {"username": USERNAME, "password": password, "demo_sessions": new_sessions}
