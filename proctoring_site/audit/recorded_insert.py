"""New documents with the records of their making: two inserts, and one wait for the disk instead of two.

What it buys: docs/performance.md. The record goes first and is only told to the primary; the document follows and is
waited for until it is journaled and on a majority. One primary's journal and oplog keep their order, so whatever holds
the document holds its record. That both went to one primary is seen by its election; when they did not, or anything
else went wrong, both are written again the slow way, each waited for, and what is there already is let stand.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.db import connection
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, PyMongoError

from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import AuditRecord
from proctoring_site.mongo_engine.group_commit import Document, GroupCommit, Outcome
from proctoring_site.mongo_engine.group_insert import DUPLICATE_KEY, NotInserted

AT_ONCE: Mapping[str, Any] = {"w": 1, "j": False}
DURABLE: Mapping[str, Any] = {"w": "majority", "j": True}
RECORDS = AuditRecord._meta.db_table


class Pair(NamedTuple):
    record: RawBSONDocument
    document: RawBSONDocument
    #: Either may be there already, and not by us; see `insert_once`.
    may_be_again: bool = False


class RecordedInsert:
    """Documents of one collection, each with its record, in one commit with the others that wait."""

    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._writer = GroupCommit(self._insert)

    def insert(self, record: Document, document: Document) -> None:
        """Both are durable when this returns. Raises AuditFailed when there is no record, and then no document."""
        self._submit(Pair(_encoded({"_id": ObjectId(), **record}), _encoded(document)))

    def insert_once(self, record: Document, document: Document) -> bool:
        """The same for ids that others may have written, or be about to. False: the record is durable, whoever wrote
        it; the document may be there, be another's, or not be there yet. Raises AuditFailed: the same, without a
        record."""
        return self._submit(Pair(_encoded(record), _encoded(document), may_be_again=True))

    def _submit(self, pair: Pair) -> bool:
        in_transaction = connection.session is not None  # it is its thread's own
        (outcome,) = self._slowly([pair]) if in_transaction else self._writer.submit([pair])
        if isinstance(outcome, Exception):
            raise outcome
        _, is_new = outcome
        return is_new

    def _insert(self, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        try:
            election = _write(RECORDS, [pair.record for pair in pairs], AT_ONCE)
            is_same = election == _write(self._collection, [pair.document for pair in pairs], DURABLE)
            if is_same and not _is_mongos(connection.database.client):  # who writes to several, and names no election
                return [(pair.document, True) for pair in pairs]
        except PyMongoError:
            pass  # told below, should it go wrong again
        return self._slowly(pairs)

    def _slowly(self, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        try:
            refused = _write_again(RECORDS, [pair.record for pair in pairs])
        except PyMongoError as error:
            self._take_back(pairs)
            raise AuditFailed from error
        outcomes: list[Outcome] = [(pair.document, not pair.may_be_again) for pair in pairs]
        for index, reason in refused.items():
            outcomes[index] = AuditFailed(reason)
        if refused:
            self._take_back([pairs[index] for index in refused])
        recorded = [index for index, pair in enumerate(pairs) if index not in refused and not pair.may_be_again]
        refused = _write_again(self._collection, [pairs[index].document for index in recorded])
        for index, reason in refused.items():
            outcomes[recorded[index]] = NotInserted(reason)
        return outcomes

    def _take_back(self, pairs: Sequence[Pair]) -> None:
        """What may be there already of documents that have no record; nobody was told of them, but for those that
        others may have written: whoever answers with one has its record written first."""
        ids = [pair.document["_id"] for pair in pairs if not pair.may_be_again]
        with suppress(PyMongoError):
            connection.get_collection(self._collection).delete_many({"_id": {"$in": ids}}, session=connection.session)


@cache
def _is_mongos(client: MongoClient) -> bool:
    """Asked once: it selects a server to tell, and does not change."""
    return client.is_mongos


def _encoded(document: Document) -> RawBSONDocument:
    """What BSON cannot say fails here, and nobody else's document."""
    return RawBSONDocument(bson.encode(document))


def _write(collection: str, documents: Sequence[RawBSONDocument], concern: Mapping[str, Any]) -> ObjectId | None:
    """Which election made the primary that took them; None on a server that knows none, and has no other primary."""
    answer = connection.database.command(
        {"insert": collection, "documents": documents, "ordered": False, "writeConcern": concern}
    )
    if answer.get("writeErrors") or answer.get("writeConcernError"):
        raise PyMongoError("Not all of them were written.")
    return answer.get("electionId")


def _write_again(collection: str, documents: Sequence[RawBSONDocument]) -> dict[int, str]:
    """Why some are not there, by their place."""
    if not documents:
        return {}
    try:
        connection.get_collection(collection).insert_many(documents, ordered=False, session=connection.session)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        faults = error.details["writeErrors"]
        return {fault["index"]: fault["errmsg"] for fault in faults if fault["code"] != DUPLICATE_KEY}
    return {}
