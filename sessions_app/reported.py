"""What a client told of one event, and the document that it becomes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from proctoring_site.mongo_engine.instants import MILLISECOND
from sessions_app.models import Mark, to_milliseconds

#: A clock that runs ahead by less than this is not worth a mark; nor is a reaction that beats the start's round trip.
CLOCK_TOLERANCE = timedelta(seconds=5)


class Reported(NamedTuple):
    """One event as the client told it. `timestamp` None: now. `id` None: a new one, and no protection from a resend.

    `is_storable`: it is known already that BSON can say it.
    """

    event_type: str
    id: str | None = None
    message: str | None = None
    timestamp: datetime | None = None
    is_naive: bool = False
    duration_s: float | None = None
    confidence: float | None = None
    source: str | None = None
    sequence: int | None = None
    data: Mapping[str, Any] | None = None
    is_storable: bool = False


#: What makes two tellings of one id the same event.
TOLD = tuple(name for name in Reported._fields if name not in {"id", "is_storable"})
#: What most events leave out.
MORE = ("duration_s", "confidence", "source", "sequence", "data")
_more_of, NOTHING_MORE = attrgetter(*MORE), (None,) * len(MORE)


def document_of(
    session_id: str, event: Reported, *, pk: str, sent_at: datetime | None, received_at: datetime
) -> dict[str, Any]:
    """As it is stored: without the fields that nothing was told of. The client's instant stays as told; `occurred_at`
    is that instant by our clock.

    `pk`: the event's own id, or a new one. `received_at` is in whole milliseconds.
    """
    skew_ms = None if sent_at is None else round((sent_at - received_at) / MILLISECOND)
    told = by_our_clock = received_at
    marks = [Mark.NAIVE.value] if event.is_naive else []
    if event.timestamp is not None:
        told = by_our_clock = to_milliseconds(event.timestamp)
        if skew_ms:
            by_our_clock = to_milliseconds(event.timestamp - timedelta(milliseconds=skew_ms))
        if by_our_clock > received_at + CLOCK_TOLERANCE:
            marks.append(Mark.FUTURE.value)
    document = {
        "_id": pk,
        "session_id": session_id,
        "event_type": event.event_type,
        "message": event.message,
        "timestamp": told,
        "occurred_at": by_our_clock,
        "received_at": received_at,
    }
    if skew_ms is not None:
        document["clock_skew_ms"] = skew_ms
    if (more := _more_of(event)) != NOTHING_MORE:
        document.update((name, value) for name, value in zip(MORE, more, strict=True) if value is not None)
    if marks:
        document["marks"] = marks
    if event.id:
        document["digest"] = _digest(event)
    return document


def _digest(event: Reported) -> str:
    """What the client told, but for when it sent it: a resend is another sending of the same."""
    told = {name: getattr(event, name) for name in TOLD}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
