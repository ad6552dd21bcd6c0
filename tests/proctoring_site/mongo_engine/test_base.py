"""D6: after a failed commit the thread's next transaction is one."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import pymongo
import pytest
from django.db import DatabaseError, connection, connections
from django_mongodb_backend import transaction
from pymongo.errors import OperationFailure, PyMongoError

from proctoring_site.calls.outage import is_outage
from sessions_app.models import Session
from tests.proctoring_site.mongo_engine.conftest import still_defective

CLOSED_CONNECTION = {"closeConnection": True}
REFUSED = {"errorCode": 8000}  # AtlasError: an error that no driver retries
CUT_OFF_S = 0.3

#: Of transactions that were started; what a test cuts off, the server would keep open, with its locks, for a minute.
server_sessions: list[dict] = []


@contextmanager
def failing(command: str, how: dict) -> Generator[None, None, None]:
    """The server fails every such command. A time limit, since with one pymongo retries until it is over."""
    client = connection.database.client
    data = {"failCommands": [command], "appName": client.options.pool_options.appname, **how}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        with pymongo.timeout(CUT_OFF_S):
            yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def create_in_a_transaction(name: str, *, then_fail: bool = False) -> None:
    with transaction.atomic():
        server_sessions.append(connection.session.session_id)
        Session.objects.create(candidate_name=name)
        if then_fail:
            raise LookupError


def assert_next_transaction_is_one() -> None:
    assert connection.session is None
    with suppress(LookupError):
        create_in_a_transaction("rolled back", then_fail=True)
    create_in_a_transaction("committed")
    assert list(Session.objects.values_list("candidate_name", flat=True)) == ["committed"]


@pytest.fixture(autouse=True)
def _clean_thread(committed_database) -> Generator[None, None, None]:
    yield
    wrapper = connections["default"]
    wrapper.run_on_commit = []
    if wrapper.session is not None:  # the canaries leave one, which is the defect
        wrapper._end_session()
    if server_sessions:  # an empty list would kill everybody's
        connection.database.client.admin.command("killSessions", server_sessions)
        server_sessions.clear()


@pytest.mark.parametrize("how", [CLOSED_CONNECTION, REFUSED])
class TestFailedCommit:
    def test_it_is_a_database_error_that_says_where_it_came_from(self, how):
        with failing("commitTransaction", how), pytest.raises(DatabaseError) as caught:
            create_in_a_transaction("lost")
        assert isinstance(caught.value.__cause__, PyMongoError)
        assert is_outage(caught.value) == (how is CLOSED_CONNECTION)

    def test_the_next_transaction_on_the_thread_is_one(self, how):
        with failing("commitTransaction", how), suppress(DatabaseError):
            create_in_a_transaction("lost")
        assert_next_transaction_is_one()

    def test_its_hooks_never_run(self, how):
        ran = []
        with failing("commitTransaction", how), suppress(DatabaseError), transaction.atomic():
            create_in_a_transaction("lost")
            transaction.on_commit(lambda: ran.append("lost"))
        create_in_a_transaction("committed")
        assert ran == []

    def test_canary(self, stock_backend, how):
        with failing("commitTransaction", how), suppress(DatabaseError, PyMongoError):
            create_in_a_transaction("lost")
        with still_defective("D6"):
            assert_next_transaction_is_one()


def test_a_failed_rollback_leaves_no_session_either():
    with failing("abortTransaction", CLOSED_CONNECTION), suppress(LookupError):
        create_in_a_transaction("lost", then_fail=True)
    assert connection.session is None


def test_a_hooks_own_error_is_not_taken_for_a_failed_commit():
    def hook() -> None:
        raise OperationFailure("the hook's own")

    @transaction.atomic
    def create_with_hook() -> None:
        Session.objects.create(candidate_name="kept")
        transaction.on_commit(hook)

    with pytest.raises(OperationFailure, match="the hook's own"):
        create_with_hook()
    assert Session.objects.get().candidate_name == "kept"
    assert connection.session is None
