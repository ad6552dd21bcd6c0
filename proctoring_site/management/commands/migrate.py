"""Django's `migrate`, by one process at a time: servers that start together would each build the same collections."""

import time
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import OutputWrapper
from django.core.management.commands import migrate
from django.db import connections
from pymongo.collection import Collection

from proctoring_site.jobs.lease import held

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


def alone(locks: Collection, say: OutputWrapper) -> AbstractContextManager[None]:
    has_said = False

    def wait() -> None:
        nonlocal has_said
        if not has_said:
            say.write("Another process is migrating this database; waiting for it.")
            has_said = True
        time.sleep(LOOK_EVERY_S)

    return held(locks, LOCK, for_s=LEASE_S, wait=wait)
