"""The guard round the database, and the two ways in: `database` (rolled back), `committed_database` (real commits)."""

from collections.abc import Generator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from django_mongodb_backend import transaction
from pymongo.database import Database
from rest_framework.test import APIClient

from proctoring_site.mongo_engine.base import DatabaseWrapper

#: What `migrate` writes once per run and every test relies on.
KEPT_COLLECTIONS = {"django_migrations", "django_content_type", "auth_permission"}


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
        for name in connection.database.list_collection_names():
            if name not in KEPT_COLLECTIONS and not name.startswith("system."):
                connection.database[name].delete_many({})


@pytest.fixture
def api() -> APIClient:
    """A client that gets a 500 as an answer, as a real one would."""
    return APIClient(raise_request_exception=False)
