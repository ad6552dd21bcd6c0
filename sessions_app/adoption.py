"""Makes documents of the earlier service's database whole: instants that are text become dates, counts are added.

Run by the migration 0002. It changes no other field, loses nothing, and a second run finds nothing to do.
"""

import logging
from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from proctoring_site.mongo_engine.instants import parse_instant
from sessions_app import counters

logger = logging.getLogger(__name__)

BATCH = 1000
LAST_INSTANT = datetime.max.replace(microsecond=999_000)
#: Where a value that is no instant is kept beside the emptied field.
AS_STORED = "_as_stored"
_IS_WHOLE = {"$in": [{"$type": "$$this.v"}, ["int", "long"]]}
_ARE_COUNTS = {"$allElementsTrue": [{"$map": {"input": {"$objectToArray": "$event_counts"}, "in": _IS_WHOLE}}]}
_IS_OBJECT = {"$eq": [{"$type": "$event_counts"}, "object"]}
_WITHOUT_SESSION = [
    {"$group": {"_id": "$session_id", "n": {"$sum": 1}}},
    {"$lookup": {"from": "sessions", "localField": "_id", "foreignField": "_id", "as": "found"}},
    {"$match": {"found": []}},
    {"$group": {"_id": None, "n": {"$sum": "$n"}}},
]


def convert_text_instants(documents: Collection, fields: Iterable[str]) -> int:
    """Turn ISO text into BSON dates, so that sorting and ranges see them; answers how many fields were changed.

    Whatever else is no date that Python can hold (a number, a list, the year 20000) is kept beside the emptied field.
    """
    converted = 0
    for field in fields:
        is_instant = {"$in": [{"$type": f"${field}"}, ["date", "null", "missing"]]}
        is_beyond = {"$and": [{"$eq": [{"$type": f"${field}"}, "date"]}, {"$gt": [f"${field}", LAST_INSTANT]}]}
        texts = documents.find({"$expr": {"$or": [{"$not": is_instant}, is_beyond]}}, {field: 1}, batch_size=BATCH)
        for batch in _batches(texts):
            documents.bulk_write([_conversion(row, field) for row in batch], ordered=False)
            converted += len(batch)
    return converted


def set_aside(documents: Collection, names: Iterable[str], *, ours: str) -> None:
    """Fields that earlier documents have under names which now mean something: kept, as `adopted.{name}`.

    `ours` is a field that every document of ours has.
    """
    for name in names:
        theirs = {name: {"$exists": True}, ours: {"$exists": False}}
        documents.update_many(theirs, {"$rename": {name: f"adopted.{name}"}})


def set_aside_what_cannot_be_counted(sessions: Collection) -> None:
    """A `revision` and `event_counts` of theirs to which nobody can add: kept, as `adopted.…`."""
    theirs = {"revision": {"$exists": True, "$not": {"$type": "number"}}}
    sessions.update_many(theirs, {"$rename": {"revision": "adopted.revision"}})
    no_counts = {"$expr": {"$not": [{"$cond": [_IS_OBJECT, _ARE_COUNTS, False]}]}}
    theirs = {"event_counts": {"$exists": True}, **no_counts}
    sessions.update_many(theirs, {"$rename": {"event_counts": "adopted.event_counts"}})


def count_sessions(database: Database, *, weighed: Container[str]) -> int:
    """Count the events of every session that has no counts yet; answers how many sessions that were."""
    uncounted = database["sessions"].find({"event_counts": {"$not": {"$type": "object"}}}, {"_id": 1}, batch_size=BATCH)
    counted = 0
    for batch in _batches(uncounted):
        counters.count_adopted([row["_id"] for row in batch], weighed=weighed)
        counted += len(batch)
    return counted


def tell_what_is_out_of_reach(database: Database) -> None:
    """Warn of the sessions that no address leads to, since their ids are no text, and of events without a session. They
    stay as they are."""
    sessions = database["sessions"].count_documents({"_id": {"$not": {"$type": "string"}}})
    if sessions:
        logger.warning("sessions whose _id is not text: %d; they are listed, but cannot be opened or deleted", sessions)
    orphans = database["events"].aggregate(_WITHOUT_SESSION, allowDiskUse=True)
    events = next(orphans, {"n": 0})["n"]
    if events:
        logger.warning("events whose session is not there: %d; they stay, and nobody sees them", events)


def _conversion(row: dict[str, Any], field: str) -> UpdateOne:
    stored = row[field]
    instant = parse_instant(stored)
    is_blank = isinstance(stored, str) and not stored.strip()
    change = {field: instant} if instant or is_blank else {field: None, field + AS_STORED: stored}
    return UpdateOne({"_id": row["_id"]}, {"$set": change})


def _batches(rows: Iterable[dict]) -> Iterator[list[dict]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch
