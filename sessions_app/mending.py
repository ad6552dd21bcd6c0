"""The counts of sessions that run, mended before they end.

An event is counted, then stored (counters.py). A process that was killed in between leaves a count too high, a failover
or a killed server one too low. Whoever reads a whole timeline sees it, at no cost, and so does `close_stale_sessions`;
they ask for a look, which a job does once nobody can be under way any more that was so then.

**Too low is certain**: an event under way makes its count too high and never too low. **Too high** is believed once
neither the count nor what is stored of the type has moved between two looks that are further apart than an event may be
under way. Either way the difference is added, on just the revision that was looked at: whoever counts at the same time
loses nothing. Were one believed wrongly, it would be too low, so certain, at the next look.
"""

import hashlib
import logging
from collections.abc import Container, Mapping, Sequence
from itertools import islice
from typing import Any

import pymongo
from django.conf import settings
from django.db import connection
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from proctoring_site.jobs.queue import job, submit
from proctoring_site.mongo_engine.instants import instant_of
from sessions_app import counters
from sessions_app.models import now
from sessions_app.policy import active_policy

logger = logging.getLogger(__name__)

#: A session is looked at once in so many seconds, and then so often until nothing is left to be seen.
TOGETHER_S, LOOKS_MAX = 60, 5
#: Before each look, beside what an event may take (SHORT_WRITE_LIMIT_S).
MARGIN_S = 2
#: To ask for a look. It is a reader who asks, and what they read is theirs without it.
PATIENCE_S = 1
#: Each time one of those who count in the same session got somewhere.
TRIES = 5
BATCH = 500
FIELDS = ("end_time", "event_counts", "revision")
OPEN_AND_COUNTED = {"end_time": None, "event_counts": {"$type": "object"}}
#: Session → the minute whose look this process asked for last.
_asked: dict[str, int] = {}
ASKED_MAX = 1000


def look_soon(session_id: str) -> None:
    """Have an open session looked at whose counts are not those of its events: nearly always since one is under way.
    What cannot be asked for now is asked for by the next who reads it."""
    moment = int(now().timestamp()) // TOGETHER_S
    if _asked.get(session_id) == moment:
        return
    try:
        with pymongo.timeout(PATIENCE_S):
            _submit(session_id, f"{session_id}@{moment}")
    except PyMongoError as error:
        logger.warning("session %s: its counts are not looked at now (%s)", session_id, type(error).__name__)
        return
    if len(_asked) >= ASKED_MAX:
        _asked.clear()
    _asked[session_id] = moment


def look_at_all_open() -> None:
    """Have those of the open sessions looked at that count other events than they have. Two trips for each BATCH.

    By type: a server that was killed several times leaves one too low and another too high, and their sum right.
    """
    found = _sessions().find(OPEN_AND_COUNTED, dict.fromkeys(FIELDS, 1), batch_size=BATCH, session=connection.session)
    weighed = active_policy().weights
    while sessions := list(islice(found, BATCH)):
        countable = {session["_id"]: session for session in sessions if counters.is_countable(session)}
        differing = counters.differences(countable.values(), weighed=weighed)
        for pk in (session["_id"] for session in sessions):
            if pk in differing or pk not in countable:
                look_soon(pk)


@job(name="mend_counts")
def look(key: str, *, session_id: str, stood: Sequence[str] = (), number: int = 0) -> None:
    """`stood`: what the look before this one saw. Again changes nothing."""
    unsure, mended = mend(session_id, stood=stood)
    if mended:
        logger.warning("session %s: counts differed from its stored events and were mended", session_id)
    if (unsure or mended) and number + 1 < LOOKS_MAX:
        _submit(session_id, f"{key.partition('/')[0]}/{number + 1}", stood=unsure, number=number + 1)


def mend(session_id: str, *, stood: Container[str] = ()) -> tuple[list[str], bool]:
    """Mend what is certain in the counts of an open session. Answers with what is too high and may be an event under
    way, for `stood` of the next look, and whether anything was mended."""
    weighed, unsure = active_policy().weights, []
    for _ in range(TRIES):
        session = _sessions().find_one({"_id": session_id}, dict.fromkeys(FIELDS, 1), session=connection.session)
        if session is None or instant_of(session.get("end_time")) is not None:
            return [], False  # its end has recounted it, or does
        if not counters.is_countable(session):
            counters.make_countable([session], weighed=weighed)
            continue
        changes, unsure = {}, []
        differing = counters.differences([session], weighed=weighed).get(session_id, {})
        for name, (counted, there) in differing.items():
            seen = _seen(name, counted, there)
            if there > counted or seen in stood:
                changes[name] = there - counted
            else:
                unsure.append(seen)
        if not changes:
            return unsure, False
        if _add(session, changes):
            return unsure, True
    return unsure, False


def _add(session: Mapping[str, Any], changes: Mapping[str, int]) -> bool:
    """Only to what was looked at: whoever counted, ended or deleted meanwhile has changed it."""
    counts = session["event_counts"]
    still = {f"event_counts.{name}": counts.get(name) for name in changes}
    still |= {name: session.get(name) for name in ("_id", "revision", "end_time")}
    step = {"$inc": {**{f"event_counts.{name}": n for name, n in changes.items()}, "revision": 1}}
    return _sessions().update_one(still, step, session=connection.session).modified_count == 1


def _seen(name: str, counted: int, there: int) -> str:
    """A type is what a client said, and a job is kept longer than its session may be."""
    return hashlib.sha256(f"{name}\0{counted}\0{there}".encode()).hexdigest()[:16]


def _sessions() -> Collection:
    return connection.get_collection("sessions")


def _submit(session_id: str, key: str, **how: Any) -> None:
    submit(look, key, pause_s=settings.SHORT_WRITE_LIMIT_S + MARGIN_S, session_id=session_id, **how)
