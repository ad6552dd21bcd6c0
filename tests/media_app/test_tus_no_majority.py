"""What the primary alone has of an upload, a failover may take back."""

from contextlib import contextmanager

import pytest
from django.db import connection
from pymongo import WriteConcern

from tests.media_app import tus
from tests.media_app.tus import begun, offset_of, send

pytestmark = pytest.mark.usefixtures("committed_database")
session, candidate = tus.session, tus.candidate


@contextmanager
def no_majority():
    """A set of one is its own majority, but for what its journal does not have."""
    admin = connection.database.client.admin
    admin.command("configureFailPoint", "pauseJournalFlusherThread", mode="alwaysOn")
    try:
        yield
    finally:
        admin.command("configureFailPoint", "pauseJournalFlusherThread", mode="off")


def test_an_offset_is_told_once_a_majority_has_it(candidate, session):
    where = begun(candidate, session, 10)
    send(candidate, where, b"abcd")
    at_once = connection.database["recordings"].with_options(write_concern=WriteConcern(w=1, j=False))
    with no_majority():
        at_once.update_one({}, {"$set": {"offset": 8}})
        assert offset_of(candidate, where) == 4
