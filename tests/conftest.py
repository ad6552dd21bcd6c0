"""The guard round the database, the two ways in: `database` (rolled back), `committed_database` (real commits), and
the callers, each with credentials as real ones have them."""

from collections.abc import Callable, Generator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import setup_databases, teardown_databases
from django_mongodb_backend import transaction
from pymongo.database import Database
from rest_framework.test import APIClient

from proctoring_site.access import candidate_token, throttle
from proctoring_site.access.roles import GROUPS
from proctoring_site.jobs import queue
from proctoring_site.mongo_engine.base import DatabaseWrapper
from sessions_app import policy
from sessions_app.models import Session
from tests import (
    static_files,  # noqa: F401 - it must be there before the first client
    trips,  # noqa: F401 - it must listen before the first connection
)
from tests.callers import bearing
from tests.factories import make_api_token, make_staff

#: What `migrate` writes once per run and every test relies on.
KEPT_COLLECTIONS = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}


def pytest_configure(config: pytest.Config) -> None:
    settings.JOBS = "by hand"  # before anything could start a thread: see `run_jobs`


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", type=int, default=0, metavar="MINUTES", help="run tests/proof at length")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the proofs saw, also when they passed."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    lines = [line for report in reports if report.when == "call" for name, line in report.user_properties]
    if lines:
        terminalreporter.section("proofs")
        for line in lines:
            terminalreporter.write_line(str(line))


class GuardedDatabase:
    """In place of the backend's `database`, which connects past pytest-django's blocker, to whichever database.

    Without it, a test that names no database fixture writes into the real one.
    """

    def __get__(self, wrapper: DatabaseWrapper | None, owner: type) -> Any:
        if wrapper is None:
            return self
        wrapper.ensure_connection()  # pytest-django's blocker replaces this method
        return self._checked(wrapper.__dict__["database"])

    def __set__(self, wrapper: DatabaseWrapper, database: Database) -> None:
        wrapper.__dict__["database"] = self._checked(database)

    def __delete__(self, wrapper: DatabaseWrapper) -> None:
        wrapper.__dict__.pop("database", None)

    @staticmethod
    def _checked(database: Database) -> Database:
        if not database.name.startswith("test_"):
            raise RuntimeError(f"A test reached for the database {database.name!r}, which is no test database.")
        return database


DatabaseWrapper.database = GuardedDatabase()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_keepdb: bool, django_db_modify_db_settings: None
) -> Generator[None, None, None]:
    """As pytest-django's own, which sets up the databases of *marked* tests only and so none for our fixtures."""
    with django_db_blocker.unblock():
        config = setup_databases(verbosity=0, interactive=False, aliases=["default"], keepdb=django_db_keepdb)
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            teardown_databases(config, verbosity=0)


class _RollBack(Exception):
    pass


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any) -> Generator[None, None, None]:
    """One real transaction per test, rolled back: fast. Its limits: one thread, no on_commit, no explain, and an
    IntegrityError ends the transaction. A test that needs more takes `committed_database`."""
    with django_db_blocker.unblock():
        try:
            with transaction.atomic():
                yield
                raise _RollBack
        except _RollBack:
            pass


@pytest.fixture
def committed_database(django_db_setup: None, django_db_blocker: Any) -> Generator[None, None, None]:
    """Real commits, for threads, live servers, transactions and explain; afterwards every collection is emptied."""
    with django_db_blocker.unblock():
        yield
        for name in filled_collections(connection.database):
            connection.database[name].delete_many({})
        connection.database["auth_group"].delete_many({"name": {"$nin": list(GROUPS)}})


def filled_collections(database: Database) -> list[str]:
    """Those that a test filled, asked for in one trip: most of the thirty are empty most of the time."""
    names = [n for n in database.list_collection_names() if n not in KEPT_COLLECTIONS and not n.startswith("system.")]
    told = [{"coll": name, "pipeline": [{"$limit": 1}, {"$project": {"_id": name}}]} for name in names]
    nothing = {"$match": {"$expr": False}}
    return [row["_id"] for row in database["auth_group"].aggregate([nothing, *({"$unionWith": one} for one in told)])]


@pytest.fixture
def db() -> None:
    """In place of pytest-django's, which `admin_client` and others ask for."""
    pytest.fail("It empties every collection, the groups' included: take `database` or `committed_database`.")


@pytest.fixture(autouse=True)
def _no_policy_but_the_shipped_one() -> Generator[None, None, None]:
    """Versions go with their test. Whether one is active is not asked for, so that the trips of a request are its own;
    a test that activates one notes it."""
    policy.forget()
    policy.note_active(None, for_s=float("inf"))
    yield
    policy.forget()


@pytest.fixture(autouse=True)
def _no_places_taken_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another test of this minute, whose counts are gone from the database."""
    monkeypatch.setattr(throttle, "_ahead", throttle._Ahead())


@pytest.fixture
def api() -> APIClient:
    """A client with every right, for what is not about rights; it gets a 500 as an answer, as a real one would."""
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(get_user_model()(username="everything", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def nobody() -> APIClient:
    """Without a token and without a cookie."""
    return APIClient(raise_request_exception=False)


@pytest.fixture
def as_candidate() -> Callable[[Session], APIClient]:
    """`as_candidate(session)`: with the token that starting this session gives."""
    return lambda session: bearing(candidate_token.issue(session.pk)[0])


@pytest.fixture
def as_machine() -> Callable[..., APIClient]:
    """`as_machine("Operator")`: with an API token of somebody in these groups."""
    return lambda *groups, **overrides: bearing(make_api_token(make_staff(*groups, **overrides)))


@pytest.fixture
def as_staff() -> Callable[..., Client]:
    """`as_staff("Reviewer")`: somebody in these groups, signed in by the cookie of the admin."""

    def sign_in(*groups: str, **overrides: Any) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(make_staff(*groups, **overrides))
        return client

    return sign_in


@pytest.fixture
def run_jobs() -> Callable[[], int]:
    """Does what waits, here: a test's transaction is seen by its own thread alone."""
    return queue.run_waiting
