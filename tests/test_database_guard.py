"""The guard itself: no test reaches a database that is no test database, or any without saying so."""

import os

import pytest
from django.db import connection, connections
from pymongo import MongoClient

from proctoring_site.mongo_engine.base import DatabaseWrapper
from sessions_app.models import Session


def test_without_a_database_fixture_a_query_is_refused():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        Session.objects.count()


def test_without_a_database_fixture_pymongo_is_refused():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connection.get_collection("sessions").find_one()


def test_a_database_that_is_no_test_database_is_refused(database):
    real = DatabaseWrapper({**connections["default"].settings_dict, "NAME": "proctoring"}, alias="real")
    try:
        with pytest.raises(RuntimeError, match="no test database"):
            real.get_collection("sessions").find_one()
    finally:
        real.close_pool()


def test_a_connection_that_was_moved_to_another_database_is_refused(database, monkeypatch):
    wrapper = connections["default"]
    monkeypatch.setitem(wrapper.__dict__, "database", wrapper.connection["proctoring"])
    with pytest.raises(RuntimeError, match="no test database"):
        Session.objects.count()


@pytest.mark.parametrize("fixture", ["db", "admin_client", "admin_user"])
def test_what_would_empty_the_whole_database_is_refused(request, fixture):
    with pytest.raises(pytest.fail.Exception, match="take `database`"):
        request.getfixturevalue(fixture)


def test_the_tests_have_a_server_of_their_own(database):
    assert os.environ["MONGODB_URL"].startswith("mongodb://127.0.0.1:")
    assert connection.settings_dict["HOST"].startswith(os.environ["MONGODB_URL"].partition("?")[0])
    assert connection.database.name.startswith("test_")


class TestTheRolledBackDatabase:
    def test_what_a_test_writes_here(self, database):
        Session.objects.create(candidate_name="A")
        assert Session.objects.count() == 1
        with MongoClient(os.environ["MONGODB_URL"]) as outside:
            assert outside[connection.database.name]["sessions"].count_documents({}) == 0

    def test_is_gone_in_the_next(self, database):
        assert Session.objects.count() == 0


class TestTheCommittedDatabase:
    def test_what_a_test_commits_here(self, committed_database):
        Session.objects.create(candidate_name="A")
        with MongoClient(os.environ["MONGODB_URL"]) as outside:
            assert outside[connection.database.name]["sessions"].count_documents({}) == 1

    def test_is_gone_in_the_next(self, committed_database):
        assert Session.objects.count() == 0
        assert connection.database["django_migrations"].count_documents({}) > 0
