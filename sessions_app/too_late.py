"""What came after the time for late events: not kept, but counted, so that staff learn that there was something."""

from contextlib import suppress
from datetime import datetime

from django.db import connection
from pymongo.errors import WriteError

from sessions_app.counting import sessions_at_once
from sessions_app.models import Session

#: Nothing yet, or what an adopted one has there.
_BEFORE = {"$cond": [{"$isNumber": "$too_late.events"}, "$too_late.events", 0]}


def note(session_id: str, events: int, *, at: datetime) -> None:
    """Without a new revision: neither score nor timeline are others."""
    step = {"$set": {"too_late": {"events": {"$add": [_BEFORE, events]}, "last_at": at}}}
    with suppress(WriteError):  # of one that is as large as a document may be
        sessions_at_once().update_one({"_id": session_id}, [step], session=connection.session)


def of(session: Session) -> tuple[int, datetime | None]:
    """How many events, as often as they were sent, and when the last came. What a client gives up when one is refused
    it never sends."""
    told = session.too_late if isinstance(session.too_late, dict) else {}
    events, last_at = told.get("events"), told.get("last_at")
    return (events, last_at) if isinstance(events, int) and isinstance(last_at, datetime) else (0, None)
