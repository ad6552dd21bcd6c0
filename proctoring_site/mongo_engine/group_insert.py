"""New documents of one collection, in one commit with the others that wait. What it buys: group_commit.py."""

from collections.abc import Sequence

import bson
import pymongo
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.db import connection
from pymongo.errors import BulkWriteError, PyMongoError

from proctoring_site.mongo_engine.group_commit import PATIENCE_S, Document, GroupCommit, Outcome, Ticket

#: The server's word for an `_id`, or another unique value, that is there already.
DUPLICATE_KEY = 11000


class NotInserted(PyMongoError):
    """The server refused this document of a group, and no other."""


class GroupInsert:
    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._writer = GroupCommit(self._insert)

    def insert(self, document: Document) -> None:
        """Durable when this returns."""
        self.finish(self.begin(document))

    def begin(self, document: Document) -> Ticket | None:
        """For who has something else to do before `finish`. What BSON cannot say fails here, and nobody else's
        document; what it can is encoded here, once."""
        encoded = RawBSONDocument(bson.encode(document if "_id" in document else {"_id": ObjectId(), **document}))
        if connection.session is None:
            return self._writer.begin([encoded])
        _demand_inserted(self._insert([encoded]))  # a transaction is its thread's own
        return None

    def finish(self, ticket: Ticket | None) -> None:
        """The document of `begin` is durable when this returns."""
        if ticket is not None:
            with pymongo.timeout(PATIENCE_S):
                _demand_inserted(self._writer.finish(ticket))

    def _insert(self, documents: Sequence[RawBSONDocument]) -> Sequence[Outcome]:
        collection = connection.get_collection(self._collection)
        outcomes: list[Outcome] = [(document, True) for document in documents]
        try:
            if len(documents) == 1:  # the driver's bulk machinery costs twice as much
                collection.insert_one(documents[0], session=connection.session)
            else:
                collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if error.details["writeConcernErrors"]:
                raise
            for fault in error.details["writeErrors"]:
                outcomes[fault["index"]] = NotInserted(fault["errmsg"])
        return outcomes


def _demand_inserted(outcomes: Sequence[Outcome]) -> None:
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
