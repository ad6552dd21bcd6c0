"""Staff that several files of this folder know by name, and the database of sites that they serve."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from pymongo import MongoClient

from tests.access import caller
from tests.factories import make_staff
from tests.servers import migrate_with_superuser

#: Who has every right in `site_database`.
USERNAME, PASSWORD = "overseer", "correct horse battery"


@pytest.fixture(scope="package")
def site_database() -> Iterator[str]:
    yield (name := f"test_site_{uuid4().hex}")
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        client.drop_database(name)


@pytest.fixture(scope="package")
def site_staff(site_database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The headers of a machine with the rights of USERNAME."""
    folder, url = tmp_path_factory.mktemp("site"), os.environ["MONGODB_URL"]
    return migrate_with_superuser(USERNAME, PASSWORD, mongodb_url=url, folder=folder, MONGODB_DATABASE=site_database)


@pytest.fixture
def auditor(committed_database: None) -> Client:
    """The browser of an auditor, and nothing in the log but what the test writes. Committed: the unfiltered list asks
    the collection for its size, past any transaction."""
    browser = caller(signed_in=make_staff("Auditor", username="anna"))
    connection.database["audit_log"].delete_many({})
    return browser


@pytest.fixture
def olive() -> Any:
    return make_staff("Operator", username="olive")
