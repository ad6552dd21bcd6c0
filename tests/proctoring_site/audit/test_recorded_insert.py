"""A session and the record of its start go together: both are there once, or neither, whatever the server does."""

from contextlib import contextmanager

import pytest
from django.db import connection
from pymongo.errors import PyMongoError

from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import AuditRecord
from sessions_app import services
from sessions_app.models import Session

KEY = "5f0d6f0e-3f57-4c5b-8f5e-9d3a2c1b7e64"
pytestmark = pytest.mark.usefixtures("committed_database")


@contextmanager
def failing(collection, *, mode="alwaysOn", **how):
    """Inserts into a collection, or (None) into any."""
    client = connection.database.client
    which = {"namespace": f"{connection.database.name}.{collection}"} if collection else {}
    data = {"failCommands": ["insert"], **which, "appName": client.options.pool_options.appname, **how}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def started_and_recorded():
    started = sorted(Session.objects.values_list("pk", flat=True))
    return started, sorted(AuditRecord.objects.values_list("object_id", flat=True))


FAILURES = {
    "refused": {"errorCode": 14031},  # OutOfDiskSpace
    "not the primary": {"errorCode": 10107},
    "cut off": {"closeConnection": True},
    "done and not known to be durable": {"writeConcernError": {"code": 91, "errmsg": "shutting down"}},
}


@pytest.mark.parametrize("collection", ["audit_log", "sessions"])
@pytest.mark.parametrize("how", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("key", [None, KEY], ids=["once", "again"])
def test_a_failure_that_passes_leaves_one_of_each(collection, how, key):
    with failing(collection, mode={"times": 1}, **how):
        document = services.start(candidate_name="Ada", start_key=key)
    assert started_and_recorded() == ([document["_id"]], [document["_id"]])


def test_without_its_record_no_session_starts():
    with failing("audit_log", errorCode=14031), pytest.raises(AuditFailed):
        services.start(candidate_name="Ada")
    assert started_and_recorded() == ([], [])


def test_a_session_that_was_written_is_taken_back_when_its_record_may_be_lost():
    """The record goes in; the session is written, and nobody knows if durably; then the record cannot go in again."""
    with failing(None, mode={"skip": 1}, **FAILURES["done and not known to be durable"]), pytest.raises(AuditFailed):
        services.start(candidate_name="Ada")
    assert started_and_recorded()[0] == []


def test_a_session_that_may_be_sent_for_again_is_not_taken_back():
    """Somebody else, who sent the same, may have been answered with it."""
    known = services.start(candidate_name="Ada", start_key=KEY)["_id"]
    with failing(None, **FAILURES["done and not known to be durable"]), pytest.raises(AuditFailed):
        services.start(candidate_name="Ada", start_key=KEY)
    assert started_and_recorded() == ([known], [known])


def test_a_record_may_speak_of_a_start_that_failed():
    with failing("sessions", errorCode=14031), pytest.raises(PyMongoError):
        services.start(candidate_name="Ada")
    started, recorded = started_and_recorded()
    assert (started, len(recorded)) == ([], 1)
