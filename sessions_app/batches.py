"""A batch of events: each is looked at alone, all that are well-formed are stored in one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest_framework.exceptions import ValidationError

from proctoring_site.calls.field_errors import by_field
from sessions_app import services
from sessions_app.errors import SessionClosed, SessionNotFound
from sessions_app.told import event_of_batch

#: These are about the session, so about the batch as a whole.
OF_THE_SESSION = (SessionNotFound, SessionClosed)


def log(session_id: str, raw_events: Sequence[Any], *, sent_at: datetime | None) -> dict[str, list[dict[str, Any]]]:
    """What became of each event, by its place in the batch: created, duplicate, rejected.

    Raises SessionNotFound and SessionClosed; then none is stored.
    """
    outcome: dict[str, list[dict[str, Any]]] = {"created": [], "duplicate": [], "rejected": []}
    good = []
    for index, raw in enumerate(raw_events):
        try:
            good.append((index, event_of_batch(raw)))
        except ValidationError as error:
            outcome["rejected"].append(_malformed(index, raw, error))
    results = services.log_events(session_id, [event for _, event in good], sent_at=sent_at)
    for (index, event), result in zip(good, results, strict=True):
        if isinstance(result, OF_THE_SESSION):
            raise result
        if isinstance(result, Exception):
            outcome["rejected"].append({"index": index, "id": event.id, "code": result.code, "detail": str(result)})
        else:
            stored, is_new = result
            outcome["created" if is_new else "duplicate"].append({"index": index, "id": stored["_id"]})
    outcome["rejected"].sort(key=lambda rejected: rejected["index"])
    return outcome


def _malformed(index: int, raw: Any, error: ValidationError) -> dict[str, Any]:
    told = raw.get("id") if isinstance(raw, dict) else None
    told = told if isinstance(told, str) else None
    fields = by_field(error.detail)
    return {"index": index, "id": told, "code": "invalid", "detail": "Some fields are not valid.", "fields": fields}
