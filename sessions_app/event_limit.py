"""How many events a session may have, so that no token fills the database, nor the memory of whoever reads a session.

Looked at by its counts now and then, and not at each event, which would cost every event a trip: a process takes a
fiftieth of the limit before it looks again. So a session may get that much more by each process.
"""

import logging
from math import inf

from django.conf import settings

from proctoring_site.mongo_engine.group_commit import Document
from sessions_app.models import SERVER
from sessions_app.policy import active_policy

logger = logging.getLogger(__name__)

LOOKS = 50
#: Of what weighs a fifth more is taken: nobody hides a phone behind invented events, and so many leave no score.
WEIGHED_MORE = 5
#: On the session's timeline from then on, for staff.
REFUSED = "events_refused"
SESSIONS_KEPT_MAX = 10_000

#: How many more each session may have before its counts are looked at; of most nobody knows more than the first share.
_left: dict[str, int] = {}
_told: set[str] = set()


def take(session_id: str, n: int) -> bool:
    """Whether so many more are surely within the limit, as far as this process knows; they are taken off then."""
    known = _left.get(session_id)
    left = (_share() if known is None else known) - n
    if left < 0:
        return False
    if known is None:
        _keep(session_id, left)
    else:
        _left[session_id] = left
    return True


def most_with(document: Document) -> float:
    """How many events, of whatever types, a session has at most for this one still to be taken."""
    if document.get("source") == SERVER:
        return inf
    limit = settings.EVENTS_PER_SESSION_MAX
    return limit + limit // WEIGHED_MORE if active_policy().weights.get(document["event_type"]) else limit


def note_total(session_id: str, total: int) -> None:
    _keep(session_id, min(settings.EVENTS_PER_SESSION_MAX - total, _share()))


def is_told(session_id: str) -> bool:
    """Whether this process has told of this session already."""
    return session_id in _told


def note_told(session_id: str) -> None:
    if len(_told) >= SESSIONS_KEPT_MAX:
        _told.clear()
    _told.add(session_id)
    logger.warning("session %s has reached EVENTS_PER_SESSION_MAX=%s", session_id, settings.EVENTS_PER_SESSION_MAX)


def _share() -> int:
    return max(1, settings.EVENTS_PER_SESSION_MAX // LOOKS)


def _keep(session_id: str, left: int) -> None:
    if len(_left) >= SESSIONS_KEPT_MAX:
        _left.clear()
    _left[session_id] = left
