"""Reads that are asked for at the same time, made together: documents by `_id` in one trip, equal questions once.

What it buys: under load, most of a trip's cost on both ends (docs/performance.md); alone a read goes at once. The
machinery is group_commit.py's: whoever waits is served by a read that begins after it was asked for, so nobody is told
what was true before, and each sees its own finished writes. What is answered is shared: it is for reading only.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import bson
import pymongo
from django.db import connection

from proctoring_site.mongo_engine.group_commit import PATIENCE_S, Document, GroupCommit


class GroupFind:
    """Documents of one collection, whole."""

    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._reader = GroupCommit(self._find)

    def one(self, pk: str) -> Document | None:
        if connection.session is not None:  # a transaction is its thread's own
            return self._find([pk])[0]
        bson.encode({"_id": pk})  # what BSON cannot say fails here, and nobody else's look-up
        with pymongo.timeout(PATIENCE_S):
            return self._reader.submit([pk])[0]

    def _find(self, pks: Sequence[str]) -> list[Document | None]:
        collection, distinct = connection.get_collection(self._collection), list(dict.fromkeys(pks))
        if len(distinct) == 1:
            found = collection.find_one({"_id": pks[0]}, session=connection.session)
            return [found] * len(pks)
        cursor = collection.find({"_id": {"$in": distinct}}, batch_size=len(distinct) + 1, session=connection.session)
        by_id = {document["_id"]: document for document in cursor.to_list()}
        return [by_id.get(pk) for pk in pks]


class AskedTogether:
    """`ask(question)` for everybody who has the same question at the same time; each gets that answer, or its error."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer
        self._reader = GroupCommit(self._answer_all)

    def ask(self, question: Hashable) -> Any:
        if connection.session is not None:
            return self._answer(question)
        with pymongo.timeout(PATIENCE_S):
            return self._reader.submit([question])[0]

    def _answer_all(self, questions: Sequence[Hashable]) -> list[Any]:
        answers = {question: self._answer(question) for question in dict.fromkeys(questions)}
        return [answers[question] for question in questions]
