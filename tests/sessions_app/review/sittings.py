"""Sessions that ended with something to review, and a reviewer's words about them."""

from datetime import timedelta
from typing import Any

from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.review import services
from sessions_app.review.states import IncidentState
from tests.factories import NOON, make_event, make_session

END = NOON + timedelta(minutes=30)


def ended(*instants: float, event_type: str = "phone_detected", **overrides: Any) -> Session:
    """An ended and scored session with events of this type, so many seconds after its start."""
    session = make_session(**overrides)
    for second in instants:
        make_event(session, event_type=event_type, timestamp=NOON + timedelta(seconds=second))
    return sessions.end_session(session, at=END)


def judge(session: Session, to: IncidentState, *, by: Any, n: int = 0, **told: Any) -> Session:
    """The n-th incident, as somebody who has just looked."""
    review = services.review_of(session)
    key = review.incidents[n].key
    return services.judge(session, key, to, by=by, seen=review.revision, seen_until=review.seen_until, **told)


def dismiss(session: Session, *, by: Any, n: int = 0, reason: str = "A calculator, which is allowed.") -> Session:
    return judge(session, IncidentState.DISMISSED, by=by, n=n, reason=reason)


def confirm(session: Session, *, by: Any, n: int = 0) -> Session:
    return judge(session, IncidentState.CONFIRMED, by=by, n=n)
