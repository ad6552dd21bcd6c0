"""What happens to a session, in what order. Every function answers with the session or event as it now is."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F
from django.db.models.functions import Coalesce

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app import counters, ingestion
from sessions_app.errors import ProctoringError
from sessions_app.ingestion import Reported
from sessions_app.models import Event, Session, State, now, to_milliseconds
from sessions_app.policy import active_policy
from sessions_app.scoring import Score, integrity_score

logger = logging.getLogger(__name__)

#: For `update`: one revision more; adopted documents have none yet.
NEXT_REVISION = Coalesce(F("revision"), 0) + 1


def start_session(*, candidate_name: str, at: datetime | None = None) -> Session:
    session = Session(candidate_name=candidate_name, start_time=to_milliseconds(at or now()))
    record(Action.CREATED, ObjectKind.SESSION, session.pk)
    session.save(force_insert=True)
    logger.info("session %s started", session.pk)
    return session


def log_event(
    session_id: str, event: Reported, *, sent_at: datetime | None = None, received_at: datetime | None = None
) -> tuple[Event, bool]:
    """The event as it is stored now, and whether this call created it; a resend of its id finds it there.

    Raises SessionNotFound, SessionClosed, EventIdConflict, EventNotStorable, EventUndecided.
    """
    (outcome,) = log_events(session_id, [event], sent_at=sent_at, received_at=received_at)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def log_events(
    session_id: str,
    events: Sequence[Reported],
    *,
    sent_at: datetime | None = None,
    received_at: datetime | None = None,
) -> list[tuple[Event, bool] | ProctoringError]:
    """The same for several at once: an outcome for each, in their order; one that cannot be stored fails no other."""
    at = to_milliseconds(received_at or now())
    documents = [ingestion.document_of(session_id, event, sent_at=sent_at, received_at=at) for event in events]
    outcomes = ingestion.write(documents)
    return [
        outcome if isinstance(outcome, Exception) else (ingestion.event_of(outcome[0]), outcome[1])
        for outcome in outcomes
    ]


def end_session(session: Session, *, at: datetime | None = None) -> Session:
    """End a session once; a second call changes nothing and keeps the first `end_time`."""
    if session.end_time is None:
        record(Action.ENDED, ObjectKind.SESSION, session.pk, changes={"state": (State.RUNNING, State.ENDED)})
    ended = Session.objects.running().filter(pk=session.pk)
    if ended.update(end_time=to_milliseconds(at or now()), revision=NEXT_REVISION):
        logger.info("session %s ended", session.pk)
    recount(session)  # also on a repeated call: the first may have been cut off here
    session.refresh_from_db()
    return session


def delete_session(session: Session) -> None:
    """Delete a session and its events. Its files and reports: reports_app.services.delete_session."""
    events = Event.objects.filter(session_id=session.pk)
    events.delete()  # first: a deletion that was cut off here leaves a session that can be deleted again
    Session.objects.filter(pk=session.pk).delete()
    events.delete()  # again: what was logged meanwhile
    logger.info("session %s deleted", session.pk)


def recount(session: Session) -> bool:
    """Bring the counts in line with the stored events, after a crash between the two. True when they were not."""
    if counters.recount(session.pk, weighed=active_policy().weights):
        logger.warning("session %s: counts differed from its stored events and were mended", session.pk)
        session.refresh_from_db()
        return True
    return False


def count_where_missing(sessions: Iterable[Session]) -> None:
    """Give the adopted ones among these sessions their counts, stored and on the instances: two queries at most."""
    uncounted = {session.pk: session for session in sessions if session.event_counts is None}
    if not uncounted:
        return
    counters.count_adopted(uncounted, weighed=active_policy().weights)
    for fresh in Session.objects.filter(pk__in=list(uncounted)).only("event_counts"):
        uncounted[fresh.pk].event_counts = fresh.event_counts


def score(session: Session) -> Score:
    """The session's score by its counts; count first where missing."""
    return integrity_score(session.counts, policy=active_policy())
