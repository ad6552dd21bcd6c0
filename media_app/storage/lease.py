"""One at a time across machines, for storages that have no locks: a document per key, whose holder it belongs to until
it is given back or has run out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from django.db import connection
from django.utils import timezone
from pymongo.errors import DuplicateKeyError

from media_app.errors import StorageFailed
from proctoring_site.mongo_engine.instants import naive_utc

COLLECTION = "storage_leases"
#: Longer than the largest upload in one request takes to be stored; only a killed server leaves one behind.
HELD_MAX_S = 600
WAIT_MAX_S = 60
LOOK_EVERY_S = 0.05


@contextmanager
def one_at_a_time(key: str) -> Iterator[None]:
    """Raises StorageFailed when others hold the key for too long."""
    holder, deadline = str(uuid4()), time.monotonic() + WAIT_MAX_S
    while not _take(key, holder):
        if time.monotonic() > deadline:
            raise StorageFailed("Another request stores a file of this session; try again in a few seconds.")
        time.sleep(LOOK_EVERY_S)
    try:
        yield
    finally:
        connection.get_collection(COLLECTION).delete_one({"_id": key, "holder": holder})


def _take(key: str, holder: str) -> bool:
    """Outside of any transaction: others must see it at once."""
    now = timezone.now()
    free = {"_id": key, "until": {"$lt": naive_utc(now)}}
    mine = {"$set": {"holder": holder, "until": naive_utc(now + timedelta(seconds=HELD_MAX_S))}}
    try:
        connection.get_collection(COLLECTION).update_one(free, mine, upsert=True)
    except DuplicateKeyError:
        return False
    return True
