"""Events as a client sends them: one alone, or many at once."""

from typing import Any

from django.http import HttpResponse
from rest_framework.test import APIClient

from sessions_app.models import Session


def log(client: APIClient, session: Session, **event: Any) -> HttpResponse:
    return client.post(f"/sessions/{session.pk}/events", {"event_type": "focus_lost", **event}, format="json")


def log_batch(client: APIClient, session: Session, *events: Any, **more: Any) -> HttpResponse:
    body = {"events": list(events), **more}
    return client.post(f"/sessions/{session.pk}/events/batch", body, format="json")
