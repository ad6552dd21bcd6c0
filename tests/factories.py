"""Sessions and events for tests: through the product's own code, or in the earlier service's exact shape. And staff."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from proctoring_site.access import api_tokens
from proctoring_site.mongo_engine.documents import instance_of
from sessions_app import services
from sessions_app.models import Event, Session
from sessions_app.reported import Reported

#: A moment that BSON keeps as it is; tests count from here.
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def make_session(**overrides: Any) -> Session:
    return Session.objects.create(**{"candidate_name": "Ada Example", "start_time": NOON, **overrides})


def make_sessions(count: int, **overrides: Any) -> list[Session]:
    fields = {"candidate_name": "Ada Example", "start_time": NOON, **overrides}
    return Session.objects.bulk_create([Session(**fields) for _ in range(count)])


def make_event(session: Session | None = None, **overrides: Any) -> Event:
    """Counted and stored, as by a request; without a session it gets one of its own."""
    session_id = (session or make_session()).pk
    told = {"event_type": "focus_lost", "timestamp": NOON, **overrides}
    at = told["timestamp"] or NOON
    return log_event(session_id, Reported(**told), received_at=at)[0]


def start_session(*, candidate_name: str, at: datetime | None = None) -> Session:
    return instance_of(Session, deepcopy(services.start(candidate_name=candidate_name, at=at)))


def log_event(session_id: str, event: Reported, **times: datetime) -> tuple[Event, bool]:
    """As by a request; an outcome that is an error is raised."""
    (outcome,) = services.log_events(session_id, [event], **times)
    if isinstance(outcome, Exception):
        raise outcome
    return instance_of(Event, outcome[0]), outcome[1]


def make_staff(*groups: str, **overrides: Any) -> Any:
    """An active staff account in these groups, which the migrations made. Without a password it can only be forced in:
    hashing one takes longer than most tests."""
    fields = {"username": f"staff-{uuid4().hex[:8]}", "is_staff": True, "password": None, **overrides}
    account = get_user_model().objects.create_user(**fields)
    if groups:
        found = Group.objects.filter(name__in=groups)
        assert len(found) == len(groups), groups
        account.groups.add(*found)
    return account


def make_api_token(owner: Any) -> str:
    """The text that a machine sends; valid for an hour."""
    return api_tokens.create(owner=owner, name="a test", expires_at=timezone.now() + timedelta(hours=1))[1]


def old_session(**overrides: Any) -> dict[str, Any]:
    """A session as the earlier service stored it."""
    fields = {"_id": str(uuid4()), "candidate_name": "Olda Example", "start_time": naive(NOON)}
    return {**fields, "end_time": None, "video_path": None, **overrides}


def old_event(session: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    fields = {"_id": str(uuid4()), "session_id": session["_id"], "event_type": "focus_lost", "message": None}
    return {**fields, "timestamp": naive(NOON), **overrides}


def write_old_documents(sessions: Iterable[dict[str, Any]] = (), events: Iterable[dict[str, Any]] = ()) -> None:
    """Straight into the collections, past the models."""
    for name, documents in (("sessions", list(sessions)), ("events", list(events))):
        if documents:
            connection.database[name].insert_many(documents, session=connection.session)


def naive(at: datetime) -> datetime:
    """As BSON and the earlier service write instants: UTC without saying so."""
    return at.astimezone(UTC).replace(tzinfo=None)
