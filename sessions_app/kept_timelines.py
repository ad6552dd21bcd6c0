"""Timelines as the JSON that was answered last, for who looks again before the next event.

What it buys: docs/performance.md. Every event raises its session's revision and one of its counts before it is stored.
So what was read under a revision is kept only when it had as many events as were counted, and is good as long as both
stand. How the candidate's client is doing (beats, coverage) is no part of it. For KEPT_S, since a session that was
deleted can be imported again under its id, with other events of the same number (the process that deletes forgets it),
and what a deposed primary took back could be told so long.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from orjson import Fragment

from sessions_app import counters, mending, timelines
from sessions_app.answers import event_answer, renderer

#: Of all together, per process; a timeline of 200 events is 65 kB.
KEPT_BYTES_MAX = 16 * 1024**2
KEPT_S = 10


@dataclass(frozen=True, slots=True)
class _Timeline:
    revision: int
    counts: Mapping[str, int]
    content: bytes
    until: float

    def is_of(self, session: Mapping[str, Any]) -> bool:
        same = self.revision == session.get("revision") and self.counts == session.get("event_counts")
        return same and time.monotonic() < self.until


_lock = threading.Lock()
_kept: dict[str, _Timeline] = {}
_kept_bytes = 0


def json_of(session: Mapping[str, Any]) -> Fragment:
    """The events of a stored session, as JSON."""
    pk, revision, counts = session["_id"], session.get("revision"), session.get("event_counts")
    kept = _kept.get(pk)
    if kept and kept.is_of(session) and connection.session is None:
        return Fragment(kept.content)
    events = timelines.events_of(pk)
    content = renderer.render(list(map(event_answer, events)))
    if isinstance(counts, dict) and counters.total(counts) != len(events):
        if session.get("end_time") is None:
            mending.look_soon(pk)
    elif isinstance(revision, int) and isinstance(counts, dict) and connection.session is None:
        _keep(pk, _Timeline(revision, counts, content, time.monotonic() + KEPT_S))
    return Fragment(content)


def forget(session_id: str) -> None:
    with _lock:
        _drop(session_id)


def _keep(pk: str, timeline: _Timeline) -> None:
    global _kept_bytes
    with _lock:
        _drop(pk)
        if len(timeline.content) > KEPT_BYTES_MAX:  # all others would make room for it in vain
            return
        _kept[pk] = timeline
        _kept_bytes += len(timeline.content)
        while _kept_bytes > KEPT_BYTES_MAX:
            _drop(next(iter(_kept)))


def _drop(pk: str) -> None:
    global _kept_bytes
    if dropped := _kept.pop(pk, None):
        _kept_bytes -= len(dropped.content)
