"""An event without company: counted and stored at the same time, so that it waits for the longer of both, not for both.

What it buys: docs/performance.md. One after the other, the insert would also wait longer for the journal, which the
count has just set going. Whether the session takes the event is asked in the command that stores it, a pipeline over
the session that ends in `$merge`: nothing is ever stored of what a closed session does not take.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.db import connection
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure, WriteConcernError
from pymongo.write_concern import WriteConcern

from proctoring_site.mongo_engine.group_commit import Document

#: One, since one event at a time is alone in a process.
_beside = ThreadPoolExecutor(1, thread_name_prefix="count")


def write(
    document: Document, conditions: Mapping[str, Any], step: Mapping[str, Any], *, counted_with: WriteConcern
) -> tuple[bool | None, bool | None]:
    """Whether the event is stored, durably, and whether `step` counted it in the session that meets `conditions` (as
    ingestion.py makes them). None: nobody knows, since the connection broke. What fits is for the caller to mend.
    """
    sessions = connection.get_collection("sessions").with_options(write_concern=counted_with)
    try:
        counting = _beside.submit(copy_context().run, sessions.update_one, conditions, step)
    except RuntimeError:  # this process is about to end, and takes on no more threads
        return False, False
    is_stored = _known(lambda: _insert(document, conditions))
    return is_stored, _known(lambda: counting.result().matched_count == 1)


def _known(outcome: Callable[[], bool]) -> bool | None:
    """False where the server refuses it. None where the driver would try again, had it a way to."""
    try:
        return outcome()
    except (AutoReconnect, ExecutionTimeout, WriteConcernError):
        return None
    except OperationFailure:
        return False


def _insert(document: Document, conditions: Mapping[str, Any]) -> bool:
    is_plainly_open = [
        {"$lte": ["$end_time", None]},  # or missing
        {"$eq": [{"$type": "$event_counts"}, "object"]},
        {"$eq": [{"$type": "$start_time"}, "date"]},
        {"$lte": ["$start_time", conditions["start_time"]["$lte"]]},
    ]
    # A pipeline that makes something else than a document is an error.
    made = {"$cond": [{"$and": is_plainly_open}, {"$literal": document}, {"$literal": "none"}]}
    to_events = {"into": "events", "whenMatched": "fail"}
    pipeline = [{"$match": {"_id": conditions["_id"]}}, {"$replaceWith": made}, {"$merge": to_events}]
    connection.get_collection("sessions").aggregate(pipeline)
    return True
