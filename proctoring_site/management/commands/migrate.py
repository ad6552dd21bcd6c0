"""Django's `migrate`, by one process at a time: servers that start together would each build the same collections."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.core.management.base import OutputWrapper
from django.core.management.commands import migrate
from django.db import connections
from django.utils import timezone
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from proctoring_site.jobs.renewal import renewed
from proctoring_site.mongo_engine.instants import naive_utc

COLLECTION, LOCK = "locks", "migrate"
#: Of one that was killed, or lost the database.
LEASE_S = 15
LOOK_EVERY_S = 0.5


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with alone(connections[options["database"]].get_collection(COLLECTION), self.stderr):
            super().handle(*args, **options)


@contextmanager
def alone(locks: Collection, say: OutputWrapper) -> Iterator[None]:
    mine = str(uuid4())
    if not _claim(locks, mine):
        say.write("Another process migrates this database; waiting for it.")
        while not _claim(locks, mine):
            time.sleep(LOOK_EVERY_S)
    try:
        with renewed("migrate", lambda: _renew(locks, mine), every_s=LEASE_S / 3):
            yield
    finally:
        with suppress(PyMongoError):  # it runs out
            locks.delete_one({"_id": LOCK, "holder": mine})


def _claim(locks: Collection, mine: str) -> bool:
    free = {"_id": LOCK, "until": {"$lt": naive_utc(timezone.now())}}
    try:
        locks.update_one(free, {"$set": {"holder": mine, "until": _until()}}, upsert=True)
    except DuplicateKeyError:
        return False
    return True


def _renew(locks: Collection, mine: str) -> bool:
    return locks.update_one({"_id": LOCK, "holder": mine}, {"$set": {"until": _until()}}).matched_count == 1


def _until() -> datetime:
    return naive_utc(timezone.now() + timedelta(seconds=LEASE_S))
