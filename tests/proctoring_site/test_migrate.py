"""`migrate` by several processes at once, as when servers start together."""

import io
from datetime import datetime
from threading import Thread

from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from proctoring_site.management.commands.migrate import COLLECTION, alone
from tests.servers import until


def test_who_comes_second_waits(committed_database):
    locks = connection.get_collection(COLLECTION)
    said, done = io.StringIO(), io.StringIO()
    second = Thread(target=call_command, args=["migrate"], kwargs={"stdout": done, "stderr": said})
    with alone(locks, OutputWrapper(io.StringIO())):
        second.start()
        until(lambda: "waiting" in said.getvalue())
        call_command("migrate", "--plan", stdout=io.StringIO())  # which looks only
        assert done.getvalue() == ""
    second.join()
    assert "No migrations to apply" in done.getvalue()
    assert locks.find_one() is None


def test_who_was_killed_is_waited_for_no_longer_than_its_lease(committed_database):
    locks = connection.get_collection(COLLECTION)
    with alone(locks, OutputWrapper(io.StringIO())):
        locks.update_one({}, {"$set": {"until": datetime(2026, 1, 1)}})
        call_command("migrate", verbosity=0)
