"""Stored documents as the API's JSON, without a model and a serializer per row.

What it buys: docs/performance.md. The serializers stay the description of the API, and a test holds that both give the
same bytes for the same documents, also for those of the earlier service, whose fields may hold anything.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from proctoring_site.mongo_engine.instants import parse_instant


def event_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """As EventSerializer says it; the instants are left to the renderer."""
    get = document.get
    return {
        "id": _text(document["_id"]),
        "event_type": _text(get("event_type")),
        "message": _text(get("message")),
        "timestamp": _instant(get("timestamp")),
        "occurred_at": _instant(get("occurred_at")),
        "received_at": _instant(get("received_at")),
        "clock_skew_ms": get("clock_skew_ms"),
        "duration_s": get("duration_s"),
        "confidence": get("confidence"),
        "source": get("source"),
        "sequence": get("sequence"),
        "data": get("data"),
        "marks": get("marks"),
    }


def _text(value: Any) -> str | None:
    return value if value is None or type(value) is str else str(value)


def _instant(value: Any) -> datetime | None:
    if type(value) is datetime:
        return value if value.tzinfo is None else value.astimezone(UTC)
    return parse_instant(value)
