"""One at a time across machines: a document per key, whose holder it belongs to until it is given back or has run out,
by the database's clock, since those of two machines differ."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from proctoring_site.jobs.renewal import renewed

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def held(leases: Collection, key: str, *, for_s: float, wait: Callable[[], None]) -> Iterator[None]:
    """Who holds it renews it, however long they do; a killed one's is missed `for_s`. `wait` pauses while others have
    it, again and again, and may raise."""
    holder = str(uuid4())
    while not take(leases, key, holder, for_s=for_s):
        wait()
    try:
        with renewed(f"lease {holder}", lambda: renew(leases, key, holder, for_s=for_s), every_s=for_s / 3):
            yield
    finally:
        with suppress(PyMongoError):  # it runs out
            leases.delete_one({"_id": key, "holder": holder})


def take(leases: Collection, key: str, holder: str, *, for_s: float) -> bool:
    """Outside of any transaction: others must see it at once. Who looks in vain writes nothing."""
    is_free = {"$lt": [{"$ifNull": ["$until", LONG_AGO]}, "$$NOW"]}
    taken = {
        "holder": {"$cond": [is_free, holder, "$holder"]},
        "until": {"$cond": [is_free, _until(for_s), "$until"]},
    }
    try:
        lease = leases.find_one_and_update(
            {"_id": key}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:
        return False
    return lease["holder"] == holder


def renew(leases: Collection, key: str, holder: str, *, for_s: float) -> bool:
    mine = {"_id": key, "holder": holder}
    return leases.update_one(mine, [{"$set": {"until": _until(for_s)}}]).matched_count == 1


def _until(for_s: float) -> dict[str, Any]:
    return {"$add": ["$$NOW", round(for_s * 1000)]}
