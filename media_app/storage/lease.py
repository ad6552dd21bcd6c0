"""One at a time across machines, for storages that have no locks: a document per key, whose holder it belongs to until
it is given back or has run out. Who holds it renews it, however long they do; by the database's clock, since those of
two machines differ."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.db import connection
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from media_app.errors import StorageFailed
from proctoring_site.jobs.renewal import renewed

COLLECTION = "storage_leases"
#: How long a killed server's is missed; renewed three times as often.
HELD_S = 30
#: Longer than that: who waits for a killed server's gets it.
WAIT_MAX_S = 60
LOOK_EVERY_S = 0.05
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def one_at_a_time(key: str) -> Iterator[None]:
    """Raises StorageFailed when others hold the key for too long."""
    holder, deadline = str(uuid4()), time.monotonic() + WAIT_MAX_S
    while not _take(key, holder):
        if time.monotonic() > deadline:
            raise StorageFailed("Another request stores a file of this session; try again in a few seconds.")
        time.sleep(LOOK_EVERY_S)
    try:
        with renewed(f"storage lease {holder}", lambda: _renew(key, holder), every_s=HELD_S / 3):
            yield
    finally:
        _leases().delete_one({"_id": key, "holder": holder})


def _take(key: str, holder: str) -> bool:
    """Outside of any transaction: others must see it at once. Who looks in vain writes nothing."""
    is_free = {"$lt": [{"$ifNull": ["$until", LONG_AGO]}, "$$NOW"]}
    taken = {"holder": {"$cond": [is_free, holder, "$holder"]}, "until": {"$cond": [is_free, _until(), "$until"]}}
    try:
        lease = _leases().find_one_and_update(
            {"_id": key}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:
        return False
    return lease["holder"] == holder


def _renew(key: str, holder: str) -> bool:
    return _leases().update_one({"_id": key, "holder": holder}, [{"$set": {"until": _until()}}]).matched_count == 1


def _until() -> dict[str, Any]:
    return {"$add": ["$$NOW", round(HELD_S * 1000)]}


def _leases() -> Collection:
    return connection.get_collection(COLLECTION)
