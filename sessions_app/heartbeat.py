"""The client's sign of life: one update of the session per beat, no row; a silence is kept as an event `missing`.

A beat is not evidence and costs no commit of its own: it is written with w=1 and a lost one shows as a gap at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from django.conf import settings
from django.db import connection
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from proctoring_site.mongo_engine.instants import MILLISECOND, instant_of
from sessions_app import coverage, ingestion
from sessions_app.coverage import Coverage, missing_after
from sessions_app.errors import EventIdConflict, EventUndecided, SessionNotFound
from sessions_app.ids import id_of_ours
from sessions_app.models import SERVER, Session, now, to_milliseconds
from sessions_app.reported import Reported, document_of
from sessions_app.states import OPEN, State, state_of

#: The event that stands for a silence: when it began, and how long it was.
MISSING = "missing"
#: Two beats of one client at the same moment are rare; the second counts its time from the first.
TRIES = 5
FIELDS = ("status", "start_time", "end_time", "heartbeat", "commands")
BROWSER_MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Beat:
    """What the client says of itself. None: it does not use this. `confirmed`: ids of commands that it has shown."""

    camera: bool | None = None
    microphone: bool | None = None
    screen: bool | None = None
    #: Whether what these see is being recorded; it is shown to staff, and no part of what was watched.
    recording: bool | None = None
    detectors: Sequence[str] = ()
    sent_at: datetime | None = None
    confirmed: Sequence[str] = ()
    #: As the browser calls itself (User-Agent), at most BROWSER_MAX_LENGTH of it.
    browser: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client needs to know: how the session stands, and what staff ask of it until it confirms."""

    state: State
    received_at: datetime
    clock_skew_ms: int | None
    next_beat_s: int
    commands: Sequence[dict[str, Any]]


def beat(session_id: str, said: Beat, *, at: datetime | None = None) -> Answer:
    """Take a beat. A closed session's beats change nothing but confirmations.

    Raises SessionNotFound, and EventUndecided where the silence before it cannot be kept: then it counts for no beat,
    and the next one tells of that silence.
    """
    at = to_milliseconds(at or now())
    naive_at = at.astimezone(UTC).replace(tzinfo=None)
    skew_ms = None if said.sent_at is None else round((said.sent_at - at) / MILLISECOND)
    for _ in range(TRIES):
        stored = _sessions().find_one({"_id": session_id}, dict.fromkeys(FIELDS, 1), session=connection.session)
        if stored is None:
            raise SessionNotFound
        commands, newly_confirmed = _confirm(stored.get("commands") or [], said.confirmed, naive_at)
        changes: dict[str, Any] = {"commands": commands} if newly_confirmed else {}
        kept = coverage.beats_of(stored.get("heartbeat"))
        state = state_of(stored.get("status"), is_closed=instant_of(stored.get("end_time")) is not None)
        if state in OPEN:
            since = kept["last_at"] if kept else stored.get("start_time")
            since = since if isinstance(since, datetime) else naive_at
            if kept and naive_at - since > missing_after():
                log_gap(session_id, since.replace(tzinfo=UTC), at)
            told = {name: getattr(said, name) for name in coverage.SIGNALS}
            told |= {"detectors": list(dict.fromkeys(said.detectors)), "clock_skew_ms": skew_ms}
            sums = coverage.added(kept, told, since=since, at=max(naive_at, since), missing_after=missing_after())
            sums |= {"recording": said.recording, "browser": said.browser}
            covered = coverage.covered_of({**stored, "heartbeat": sums}, now=at, missing_after=missing_after())
            changes |= {"heartbeat": sums, "last_seen_at": naive_at, "covered": covered}
        if not changes or _write(session_id, stored, changes):
            break
    return Answer(
        state=state,
        received_at=at,
        clock_skew_ms=skew_ms,
        next_beat_s=settings.HEARTBEAT_EVERY_S,
        commands=[command for command in commands if command["confirmed_at"] is None],
    )


def log_gap(session_id: str, since: datetime, until: datetime) -> None:
    """Keep a silence on the timeline, once: whoever comes second finds it there. Raises EventUndecided."""
    gap = Reported(
        MISSING,
        id=id_of_ours(MISSING, f"{session_id}/{since.isoformat()}"),
        timestamp=since,
        duration_s=round((until - since).total_seconds(), 3),
        source=SERVER,
    )
    with pymongo.timeout(settings.SHORT_WRITE_LIMIT_S):  # an end has none of its own, and may lead events that do
        (outcome,) = ingestion.write([document_of(session_id, gap, pk=gap.id, sent_at=None, received_at=until)])
    if isinstance(outcome, EventUndecided):
        raise outcome
    if isinstance(outcome, EventIdConflict):
        _log_rest(session_id, gap.id, until)


def _log_rest(session_id: str, kept_id: str, until: datetime) -> None:
    """A gap is there already, and ends earlier: with a beat that could not be written after it. Who sent it was there
    just then, and then silent again."""
    events = connection.get_collection("events")
    kept = events.find_one({"_id": kept_id}, {"timestamp": 1, "duration_s": 1}, session=connection.session)
    if kept:
        since = kept["timestamp"].replace(tzinfo=UTC) + timedelta(seconds=kept["duration_s"])
        if until - since > missing_after():
            log_gap(session_id, since, until)


def log_last_gap(session: Session) -> None:
    """Keep the silence that a closed session ended with, as known at its end, so not late. Raises EventUndecided."""
    beats = coverage.beats_of(session.heartbeat)
    last_at = beats["last_at"] if beats else session.end_time
    if session.end_time - last_at > missing_after():
        log_gap(session.pk, last_at, session.end_time)


def coverage_of(session: Session) -> Coverage | None:
    """None: unknown, since this client never sent a heartbeat."""
    return coverage.coverage_of(
        session.heartbeat,
        start=session.start_time,
        end=session.end_time,
        now=now(),
        missing_after=missing_after(),
    )


def missing_since(session: Session, *, at: datetime | None = None) -> datetime | None:
    """The last beat of a client that should be there and is not. None: it is there, has ended, or never had beats."""
    beats = coverage.beats_of(session.heartbeat)
    if session.end_time is not None or beats is None:
        return None
    last_at = beats["last_at"]
    return last_at if (at or now()) - last_at > missing_after() else None


def _confirm(commands: list[dict], ids: Sequence[str], at: datetime) -> tuple[list[dict], bool]:
    wanted = {c["id"] for c in commands if c["id"] in ids and c["confirmed_at"] is None}
    return [{**c, "confirmed_at": at} if c["id"] in wanted else c for c in commands], bool(wanted)


def _write(session_id: str, stored: dict[str, Any], changes: dict[str, Any]) -> bool:
    """Only on what was read: another beat, a move or a new command meanwhile is not overwritten."""
    still = {name: stored.get(name) for name in ("status", "heartbeat", "commands")}
    done = _sessions().update_one({"_id": session_id, **still}, {"$set": changes}, session=connection.session)
    return done.matched_count == 1


def _sessions() -> Collection:
    sessions = connection.get_collection("sessions")
    return sessions if connection.session is not None else sessions.with_options(write_concern=WriteConcern(w=1))
