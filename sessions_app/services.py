"""What happens to a session, in what order. Every function answers with the session or event as it now is."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings

from proctoring_site.audit.log import record_and_insert
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.audit.recorded_insert import RecordedInsert
from proctoring_site.mongo_engine.documents import document_of
from proctoring_site.mongo_engine.group_find import GroupFind
from sessions_app import (
    counters,
    coverage,
    event_limit,
    heartbeat,
    ingestion,
    kept_timelines,
    mending,
    moves,
    reported,
    starts,
    too_late,
)
from sessions_app.errors import (
    EventUndecided,
    IllegalMove,
    MovedMeanwhile,
    ProctoringError,
    SessionClosed,
    SessionNotFound,
    TooManyEvents,
)
from sessions_app.ids import id_of_ours, id_of_start, new_event_ids, new_id
from sessions_app.models import NOT_AT_THE_START, SERVER, Event, Session, now, to_milliseconds
from sessions_app.policy import active_policy, policy_for
from sessions_app.reported import Reported
from sessions_app.review import changes, scores
from sessions_app.review.scores import Standing
from sessions_app.scoring import Score, integrity_score
from sessions_app.states import State

logger = logging.getLogger(__name__)

_new, _stored = RecordedInsert(Session._meta.db_table), GroupFind(Session._meta.db_table)


def start(*, candidate_name: str, start_key: str | None = None, at: datetime | None = None) -> dict[str, Any]:
    """Start a session; as it is stored, for answers.py. For reading only: sessions share what is still empty.

    With the `start_key` of one that is open it is that one. Raises StartKeyConflict, MovedMeanwhile.
    """
    at = to_milliseconds(at or now())
    has_key = start_key is not None
    pk = id_of_start(start_key) if has_key else new_id()
    document = {**_blank(), "_id": pk, "candidate_name": candidate_name, "start_time": at}
    if not record_and_insert(_new, document, Action.CREATED, ObjectKind.SESSION, may_be_again=has_key):
        return starts.opened_once(document, at=at)
    logger.info("session %s started", pk)
    return document


@cache
def _blank() -> dict[str, Any]:
    """A new session as the ORM would write it. Asking every field for it takes as long as storing it. Of its review it
    has nothing yet, and every event rewrites the whole document."""
    return {name: value for name, value in document_of(Session()).items() if name not in NOT_AT_THE_START}


def log_events(
    session_id: str,
    events: Sequence[Reported],
    *,
    sent_at: datetime | None = None,
    received_at: datetime | None = None,
) -> Sequence[tuple[dict[str, Any], bool] | ProctoringError]:
    """An outcome for each, in their order: the event as it is stored now, for answers.py, and whether this call created
    it (a resend of its id finds it there); or why not, and one that cannot be stored fails no other.

    That is SessionNotFound, SessionClosed, EventIdConflict, EventNotStorable, TooManyEvents or EventUndecided.
    """
    at = to_milliseconds(received_at or now())
    ids = iter(new_event_ids(sum(not event.id for event in events)))
    documents = [
        reported.document_of(session_id, event, pk=event.id or next(ids), sent_at=sent_at, received_at=at)
        for event in events
    ]
    outcomes = ingestion.write(documents, are_storable=all(event.is_storable for event in events))
    refused = [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)]
    if SessionClosed in refused:
        too_late.note(session_id, refused.count(SessionClosed), at=at)
    if TooManyEvents in refused and not event_limit.is_told(session_id):
        _tell_of_the_limit(session_id, at)
    return outcomes


def _tell_of_the_limit(session_id: str, at: datetime) -> None:
    """On the timeline, once, where staff and reports see it."""
    said = f"The session has {settings.EVENTS_PER_SESSION_MAX:,} events; from now on only types with a weight are kept."
    told = Reported(event_limit.REFUSED, id=id_of_ours(event_limit.REFUSED, session_id), message=said, source=SERVER)
    (outcome,) = ingestion.write([reported.document_of(session_id, told, pk=told.id, sent_at=None, received_at=at)])
    if not isinstance(outcome, EventUndecided):  # else the next one that is refused tells
        event_limit.note_told(session_id)


def find_document(session_id: str) -> dict[str, Any] | None:
    """The stored session, for answers.py; shared with whoever else looks at it just now, so for reading only."""
    return _stored.one(session_id)


def pause_session(session: Session, *, reason_code: str | None = None, reason: str | None = None) -> Session:
    """Have the candidate wait. Raises IllegalMove, MovedMeanwhile."""
    moves.move(session, State.PAUSED, reason_code=reason_code, reason=reason)
    return session


def resume_session(session: Session, *, reason_code: str | None = None, reason: str | None = None) -> Session:
    """Let a paused candidate go on. Raises IllegalMove, MovedMeanwhile."""
    moves.move(session, State.RUNNING, reason_code=reason_code, reason=reason)
    return session


def terminate_session(
    session: Session, *, reason_code: str, reason: str | None = None, at: datetime | None = None
) -> Session:
    """Stop a sitting. Raises IllegalMove, MovedMeanwhile."""
    moves.move(session, State.TERMINATED, at=at, reason_code=reason_code, reason=reason)
    return _settle(session)


def message_candidate(session: Session, *, message: str) -> Session:
    """Have the client show a message with its next beat. Raises NobodyThere, TooManyCommands."""
    moves.ask(session, message=message)
    return session


def end_session(session: Session, *, at: datetime | None = None) -> Session:
    """End a session once; a second call changes nothing and keeps the first `end_time`. Raises IllegalMove,
    MovedMeanwhile."""
    try:
        moves.move(session, State.ENDED, at=at)
    except IllegalMove:
        session.refresh()
        if session.state is not State.ENDED:
            raise
    return _settle(session)  # also at a second call: the first may have been cut off here


def close_stale_sessions(*, at: datetime | None = None, dry_run: bool = False) -> int:
    """Expire the open sessions that nobody has heard of for SESSION_EXPIRES_AFTER_S; answers how many. Of the others,
    those are looked at whose counts are not those of their events.

    Safe to run on several machines at once: a session is closed by one of them, and by none that comes to life.
    """
    at = at or now()
    stale = Session.objects.silent_since(at - timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S))
    if dry_run:
        return stale.count()
    closed = 0
    for session in stale.iterator():
        seen = session.last_seen_at
        heard = {"last_seen_at": seen.replace(tzinfo=None) if seen else None}
        try:
            moved = moves.move(session, State.EXPIRED, at=at, end_time=seen or session.start_time, only_if=heard)
        except (IllegalMove, MovedMeanwhile, SessionNotFound):  # somebody else was quicker
            continue
        closed += moved
    for session in Session.objects.unsettled():  # whoever closed them was cut off right then
        with suppress(SessionNotFound):
            _settle(session)
    mending.look_at_all_open()
    return closed


def _settle(session: Session) -> Session:
    """What a closed session needs: the silence before its end, exact counts, and its scores with its coverage as it
    stays. It is closed also where that silence cannot be kept now: the next end or cron job does it."""
    is_unsettled = session.unsettled and not _keeps_last_silence(session)
    if recount(session) is not False:  # an event under way may be stored yet, and would be in no score
        scores.score_soon(session.pk, now())
    scores.score_closed([session.pk])
    if session.unsettled and not is_unsettled:
        Session.objects.filter(pk=session.pk).update(unsettled=None)
    session.refresh()
    return session


def _keeps_last_silence(session: Session) -> bool:
    try:
        heartbeat.log_last_gap(session)
    except EventUndecided:
        logger.warning("session %s: the silence before its end is still to be kept", session.pk)
        return False
    return True


def delete_session(session: Session) -> None:
    """Delete a session and its events. Its files and reports: reports_app.services.delete_session."""
    # The events first: a deletion that is cut off here leaves a session that can be deleted again.
    Event.objects.filter(session_id=session.pk).delete()
    Session.objects.filter(pk=session.pk).delete()
    clear_deleted(session.pk)
    logger.info("session %s deleted", session.pk)


def clear_deleted(session_id: str) -> None:
    """What was said and logged of a session while it was being deleted; again changes nothing."""
    changes.delete(session_id)
    Event.objects.filter(session_id=session_id).delete()
    kept_timelines.forget(session_id)


def recount(session: Session) -> bool | None:
    """Bring the counts in line with the stored events, after a crash between the two, and a closed session's scores
    and place in the queue with them. True when they were not, None while others write."""
    mended = counters.recount(session.pk, weighed=active_policy().weights)
    if mended:
        logger.warning("session %s: counts differed from its stored events and were mended", session.pk)
        scores.score_closed([session.pk])
        session.refresh()
    return mended


def count_where_missing(sessions: Iterable[Session]) -> None:
    """Give the adopted ones among these sessions their counts, stored and on the instances: two queries at most."""
    uncounted = {session.pk: session for session in sessions if not isinstance(session.event_counts, dict)}
    if not uncounted:
        return
    counters.count_adopted(uncounted, weighed=active_policy().weights)
    for fresh in Session.objects.filter(pk__in=list(uncounted)).only("event_counts"):
        uncounted[fresh.pk].event_counts = fresh.event_counts


def clock_skew_ms(session: Session) -> int | None:
    """How far the client's clock was off when it was last told: by its beats, else by its events. None: unknown."""
    beats = coverage.beats_of(session.heartbeat)
    return beats["clock_skew_ms"] if beats else session.clock_skew_ms


def standing_of(session: Session) -> Standing:
    """Both scores of a session as it is now, under the policy that it was scored with, else the one in force.

    By its counts (count first where missing) as long as they tell all; else its events are read.
    """
    policy, counts = policy_for(session.policy_version), session.counts
    if policy.is_plain and not session.review_revision and counters.OTHER_TYPES not in counts:
        covered = heartbeat.coverage_of(session)
        score = integrity_score(counts, policy=policy, covered=covered and covered.weakest)
        return Standing(policy, score, score)
    return scores.standing_by_events(session, policy=policy)


def score(session: Session) -> Score:
    """As the machine saw it."""
    return standing_of(session).machine
