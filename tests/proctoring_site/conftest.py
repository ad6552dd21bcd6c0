"""Staff that several files of this folder know by name."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.access import caller
from tests.factories import make_staff


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
