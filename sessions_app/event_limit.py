"""How many events a session may have, so that no token fills the database, nor the memory of whoever reads a session.

Looked at by its counts now and then, and not at each event, which would cost every event a trip: a process takes a
fiftieth of the limit before it looks again. So a session may get that much more by each process.
"""

import logging
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

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


def is_far(session_id: str, n: int) -> bool:
    """Whether so many more are surely within the limit, as far as this process knows; they are taken then."""
    known = _left.get(session_id)
    left = (_share() if known is None else known) - n
    if left < 0:
        return False
    if known is None:
        _keep(session_id, left)
    else:
        _left[session_id] = left
    return True


def room(event_counts: Mapping[str, int]) -> tuple[int, int]:
    """How many more a session with these counts may have: events of any type, and of those that weigh."""
    total, limit = sum(event_counts.values()), settings.EVENTS_PER_SESSION_MAX
    return limit - total, limit + limit // WEIGHED_MORE - total


def weighs(event_type: str) -> bool:
    return bool(active_policy().weights.get(event_type))


def note_room(session_id: str, left: int) -> None:
    _keep(session_id, min(left, _share()))


def is_told(session_id: str) -> bool:
    """Whether this process has told of this session already."""
    return session_id in _told


def note_told(session_id: str) -> None:
    if len(_told) >= SESSIONS_KEPT_MAX:
        _told.clear()
    _told.add(session_id)
    logger.warning("session %s has reached EVENTS_PER_SESSION_MAX=%s", session_id, settings.EVENTS_PER_SESSION_MAX)


def refused_id(session_id: str) -> str:
    """The same for whoever tells it first, and known to no client, whose own event under it would keep it off."""
    told = salted_hmac("proctoring.events_refused", session_id, algorithm="sha256").digest()
    return str(UUID(bytes=told[:16], version=5))


def _share() -> int:
    return max(1, settings.EVENTS_PER_SESSION_MAX // LOOKS)


def _keep(session_id: str, left: int) -> None:
    if len(_left) >= SESSIONS_KEPT_MAX:
        _left.clear()
    _left[session_id] = left
