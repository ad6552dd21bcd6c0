"""The counts of a group's sessions, added to before its events are stored (counters.py), in a trip for all of them."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from django.db import connection
from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, NotPrimaryError, WriteConcernError
from pymongo.write_concern import WriteConcern

from proctoring_site.mongo_engine.group_commit import Document
from sessions_app import counters, event_limit
from sessions_app.errors import EventUndecided, SessionClosed, SessionNotFound
from sessions_app.policy import active_policy
from sessions_app.reported import CLOCK_TOLERANCE

logger = logging.getLogger(__name__)

#: The counts become durable with the events that are committed after them: the journal keeps their order. A failover
#: may take back a count and not the event, which the driver then stores on the next primary: see counters.py.
COUNTED_AT_ONCE = WriteConcern(w=1)
_IS_OBJECT, _EXISTS, _NEVER_INSERTED = {"$type": "object"}, {"$exists": True}, {"_id": None}


def count_open(
    by_session: Mapping[str, Sequence[int]], documents: Sequence[Document], keys: dict[int, str]
) -> Mapping[str, Sequence[int]]:
    """Count the events of all sessions that plainly take them, in one trip; answers with the other sessions, untouched.

    Plainly: the session is far from its limit, open, began before the events, and counts their types by name. But for
    the first, the server says which ones are not by failing to insert them: an upsert that may not choose its own `_id`
    changes what is there or nothing.
    """
    changes, tried = [], {}
    weighed = active_policy().weights
    far = {pk: own for pk, own in by_session.items() if event_limit.take(pk, len(own))}
    if not far:
        return by_session
    for pk, own in far.items():
        conditions: dict[str, Any] = {"_id": pk, "end_time": None, "event_counts": _IS_OBJECT}
        for n in own:
            event_type = documents[n]["event_type"]
            tried[n] = key = counters.key_of(event_type)
            if event_type not in weighed:
                conditions[f"event_counts.{key}"] = _EXISTS
        events = [documents[n] for n in own]
        earliest = min(event["occurred_at"] for event in events)
        conditions["start_time"] = {"$lte": min(earliest, events[0]["received_at"]) + CLOCK_TOLERANCE}
        step = {**_step(events, [tried[n] for n in own], by=1), "$setOnInsert": _NEVER_INSERTED}
        changes.append({"q": conditions, "u": step, "upsert": True})
    try:
        reply = connection.database.command(
            "update", "sessions", updates=changes, ordered=False, writeConcern=COUNTED_AT_ONCE.document
        )
    except NotPrimaryError:
        # Nothing was changed, but where the primary stepped down in the midst of it: then some are counted twice until
        # their sessions end, as after a crash. The driver's own way to write looks for the new one.
        return by_session
    if "writeConcernError" in reply:
        raise WriteConcernError(reply["writeConcernError"]["errmsg"], reply["writeConcernError"]["code"])
    places = list(far)
    left = {places[error["index"]] for error in reply.get("writeErrors", ())} | (by_session.keys() - far.keys())
    keys.update((n, key) for n, key in tried.items() if documents[n]["session_id"] not in left)
    return {pk: by_session[pk] for pk in left}


def find_sessions(ids: Sequence[str]) -> dict[str, Document]:
    fields = {"start_time": 1, "end_time": 1, "event_counts": 1, "revision": 1, "moves": {"$slice": -1}}
    found = connection.get_collection("sessions").find({"_id": {"$in": ids}}, fields, session=connection.session)
    return {session["_id"]: session for session in found}


def count(
    documents: Sequence[Document], keys: Mapping[int, str], *, by: int, ends: Mapping[str, Any] | None = None
) -> dict[str, Exception]:
    """Add to the counts of the sessions; answers with those of which it could not, and why.

    `ends`: the sessions' `end_time` as it was found. One that ended since is closed: it is to be looked at again, or
    its score would not follow. One that was deleted since is not there. One that cannot be counted (its document is at
    its largest, or an adopted one's numbers are none) fails nobody else.
    """
    ends = ends or {}
    own: dict[str, list[int]] = {}
    for n in keys:
        own.setdefault(documents[n]["session_id"], []).append(n)
    if not own:
        return {}
    changes = [
        UpdateOne(
            {"_id": pk, **({"end_time": {"$eq": ends[pk]}} if pk in ends else {})},
            _step([documents[n] for n in places], [keys[n] for n in places], by=by),
        )
        for pk, places in own.items()
    ]
    failed: dict[str, Exception] = {}
    try:
        found = sessions_at_once().bulk_write(changes, ordered=False, session=connection.session).matched_count
    except BulkWriteError as error:
        if connection.session is not None or error.details["writeConcernErrors"]:
            raise
        found = error.details["nMatched"]
        for fault in error.details["writeErrors"]:
            pk = list(own)[fault["index"]]
            logger.error("session %s cannot be counted: the server answers with error %d", pk, fault["code"])
            failed[pk] = EventUndecided()
    if found + len(failed) < len(own):
        there = find_sessions(list(own))
        failed |= {pk: SessionNotFound() for pk in own if pk not in there}
        changed = (pk for pk in own.keys() & ends.keys() & there.keys() if there[pk].get("end_time") != ends[pk])
        failed |= {pk: SessionClosed() for pk in changed}
    return failed


def sessions_at_once() -> Collection:
    sessions = connection.get_collection("sessions")
    return sessions if connection.session else sessions.with_options(write_concern=COUNTED_AT_ONCE)


def _step(own: Sequence[Document], keys: Iterable[str], *, by: int) -> dict[str, Any]:
    """What events change in their session: the counts, that the client was there, and how its clock is."""
    counts = {f"event_counts.{key}": n * by for key, n in Counter(keys).items()}
    last = max(own, key=itemgetter("received_at"))
    step: dict[str, Any] = {"$inc": {**counts, "revision": 1}, "$max": {"last_seen_at": last["received_at"]}}
    if "clock_skew_ms" in last:
        step["$set"] = {"clock_skew_ms": last["clock_skew_ms"]}
    return step
