"""The events of sessions in the timeline's order, read in one trip with the others that are asked for just then.

What it buys: docs/performance.md. Documents come whole: to leave two fields out costs the server more than to send
them. Long timelines are read alone, for whoever reads with others waits for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from proctoring_site.mongo_engine.documents import TOGETHER
from proctoring_site.mongo_engine.group_commit import Document, GroupCommit

#: Events of one session that are read with those of others.
SHORT = 500
ORDER = [("occurred_at", 1), ("_id", 1)]


def events_of(session: Mapping[str, Any]) -> Sequence[Document]:
    """Of a stored session; which is `in_order` of EventQuerySet."""
    counts = session.get("event_counts")
    is_short = isinstance(counts, dict) and sum(counts.values()) <= SHORT
    if connection.session is not None or not is_short:
        return alone(session["_id"])
    return _reader.submit([session["_id"]])[0]


def _together(session_ids: Sequence[str]) -> list[Sequence[Document]]:
    distinct = list(dict.fromkeys(session_ids))
    if len(distinct) == 1:
        return [alone(session_ids[0])] * len(session_ids)
    events = connection.get_collection("events")
    found = events.find({"session_id": {"$in": distinct}}, batch_size=TOGETHER, session=connection.session)
    of: dict[str, list[Document]] = {session_id: [] for session_id in distinct}
    # Not by session first: one adopted event that names several makes the index one of arrays, which gives the order
    # of those by a scan of all of it. So the server merges the sessions' ranges, and here they part again.
    for event in found.sort(ORDER).to_list():  # a cursor's own loop costs a microsecond for each
        named = event["session_id"]
        for session_id in named if isinstance(named, list) else (named,):  # an adopted one may name several
            if isinstance(session_id, str) and session_id in of:
                of[session_id].append(event)
    return [of[session_id] for session_id in session_ids]


def alone(session_id: str) -> list[Document]:
    """Of a session by its id, however long."""
    events = connection.get_collection("events")
    found = events.find({"session_id": session_id}, batch_size=TOGETHER, session=connection.session)
    return found.sort(ORDER).to_list()


_reader = GroupCommit(_together)
