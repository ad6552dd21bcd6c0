"""Stored documents as the API's JSON, without a model and a serializer per row.

What it buys: docs/performance.md. The serializers stay the description of the API, and a test holds that both give the
same bytes for the same documents, also for those of the earlier service, whose fields may hold anything.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from orjson import Fragment

from proctoring_site.calls.json_only import QuickJSONRenderer
from proctoring_site.mongo_engine.documents import instance_of
from proctoring_site.mongo_engine.instants import parse_instant
from sessions_app import heartbeat
from sessions_app.models import Session
from sessions_app.serializers import AskedSerializer, CoverageSerializer, MoveSerializer
from sessions_app.states import state_of

MOVE, COMMAND = tuple(MoveSerializer().fields), tuple(AskedSerializer().fields)
COVERAGE = tuple(CoverageSerializer().fields)
renderer = QuickJSONRenderer()


#: What a session's answer is made of; `status` tells the state.
SESSION_FIELDS = ("candidate_name", "start_time", "end_time", "video_path", "status")


#: What every event of ours has; of the others only what was told.
EVENT_FIELDS = ("_id", "session_id", "event_type", "message", "timestamp", "occurred_at", "received_at")
TOLD = ("clock_skew_ms", "duration_s", "confidence", "source", "sequence", "data", "marks")
_always = itemgetter(*EVENT_FIELDS)


def session_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """As SessionSerializer says it. Up to a thousand are one answer."""
    pk, get = document["_id"], document.get
    name, start, end, path, status = map(get, SESSION_FIELDS)
    is_ours = type(pk) is type(name) is str and (path is None or type(path) is str)
    is_ours = is_ours and type(start) is datetime and start.tzinfo is None
    if not (is_ours and (end is None or (type(end) is datetime and end.tzinfo is None))):
        pk, name, path, start, end = _text(pk), _text(name), _text(path), _instant(start), _instant(end)
    return {
        "id": pk,
        "candidate_name": name,
        "start_time": start,
        "end_time": end,
        "video_path": path,
        "state": _state(status if type(status) is str else None, end is not None),
    }


@lru_cache(32)
def _state(status: str | None, is_closed: bool) -> str:
    return state_of(status, is_closed=is_closed).value


def started_answer(document: Mapping[str, Any], *, token: str, token_expires_at: datetime) -> dict[str, Any]:
    """As StartedSessionSerializer says it."""
    return {**session_answer(document), "token": token, "token_expires_at": token_expires_at}


def detail_answer(document: Mapping[str, Any], events: Fragment) -> dict[str, Any]:
    """As SessionDetailSerializer says it; its events are JSON already."""
    get = document.get
    covered = missing_since = None
    if isinstance(get("heartbeat"), dict):  # what only a client with beats has; an instance costs as much as the rest
        session = instance_of(Session, document)
        covered, missing_since = heartbeat.coverage_of(session), heartbeat.missing_since(session)
    return {
        **session_answer(document),
        "last_seen_at": _instant(get("last_seen_at")),
        "missing_since": missing_since,
        "coverage": {name: getattr(covered, name) for name in COVERAGE} if covered else None,
        "moves": [{name: move.get(name) for name in MOVE} for move in get("moves") or ()],
        "commands": [{name: command.get(name) for name in COMMAND} for command in get("commands") or ()],
        "events": events,
    }


def event_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """As EventSerializer says it; the instants are left to the renderer. Hundreds of them are one answer, and most
    have nothing but these fields, each of the type that we write."""
    try:
        pk, _, event_type, message, timestamp, occurred_at, received_at = _always(document)
    except KeyError:
        pk, _, event_type, message, timestamp, occurred_at, received_at = map(document.get, EVENT_FIELDS)
    is_ours = type(pk) is type(event_type) is str and (message is None or type(message) is str)
    is_ours = is_ours and type(timestamp) is type(occurred_at) is type(received_at) is datetime
    if not (is_ours and timestamp.tzinfo is occurred_at.tzinfo is received_at.tzinfo is None):
        pk, event_type, message = _text(pk), _text(event_type), _text(message)
        timestamp, occurred_at, received_at = _instant(timestamp), _instant(occurred_at), _instant(received_at)
    answer = {
        "id": pk,
        "event_type": event_type,
        "message": message,
        "timestamp": timestamp,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "clock_skew_ms": None,
        "duration_s": None,
        "confidence": None,
        "source": None,
        "sequence": None,
        "data": None,
        "marks": (),
    }
    if len(document) > len(EVENT_FIELDS):
        answer.update((name, document[name]) for name in TOLD if document.get(name) is not None)
    return answer


def as_json(answer: Any) -> Fragment:
    """Rendered as the renderer would, to be part of an answer as it is."""
    return Fragment(renderer.render(answer))


def _text(value: Any) -> str | None:
    return value if value is None or type(value) is str else str(value)


def _instant(value: Any) -> datetime | None:
    if type(value) is datetime:
        return value if value.tzinfo is None else value.astimezone(UTC)
    return parse_instant(value)
