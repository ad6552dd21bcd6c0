"""One at a time across machines, for storages that have no locks: a lease in the database."""

import time
from contextlib import AbstractContextManager

from django.db import connection
from pymongo.collection import Collection

from media_app.errors import StorageFailed
from proctoring_site.jobs.lease import held

COLLECTION = "storage_leases"
#: How long a killed server's is missed.
HELD_S = 30
#: Longer than that: who waits for a killed server's gets it.
WAIT_MAX_S = 60
LOOK_EVERY_S = 0.05


def one_at_a_time(key: str) -> AbstractContextManager[None]:
    """Raises StorageFailed when others hold the key for too long."""
    deadline = time.monotonic() + WAIT_MAX_S

    def wait() -> None:
        if time.monotonic() > deadline:
            raise StorageFailed("Another request is storing a file for this session; try again in a few seconds.")
        time.sleep(LOOK_EVERY_S)

    return held(_leases(), key, for_s=HELD_S, wait=wait)


def _leases() -> Collection:
    return connection.get_collection(COLLECTION)
