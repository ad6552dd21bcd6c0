"""What a queryset selects, as raw documents: the same filter and order, without a model per row.

What it buys: docs/performance.md. The queryset stays the only place where it is said which rows those are, and in
which order; here it is only asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import bson
from bson.errors import BSONError
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import DateTimeField, Field, Model, QuerySet
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from proctoring_site.mongo_engine.fields import DocumentField, with_zones
from proctoring_site.mongo_engine.instants import instant_of

Document = dict[str, Any]
M = TypeVar("M", bound=Model)
#: One trip for the rows of a page: without it the first answer holds 101 of them.
TOGETHER = 10_000


def is_storable(document: Mapping[str, Any]) -> bool:
    """Whether BSON can say it; it cannot say half a surrogate, a NUL in a name, or an integer of 65 bits."""
    try:
        bson.encode(document)
    except (BSONError, OverflowError, UnicodeError):
        return False
    return True


def as_majority_has(collection: str) -> Collection:
    """For reading what no failover takes back; within a transaction, which has a read concern of its own, as that sees
    it."""
    connection = connections[DEFAULT_DB_ALIAS]
    found = connection.get_collection(collection)
    return found if connection.session is not None else found.with_options(read_concern=ReadConcern("majority"))


@dataclass(frozen=True, slots=True)
class Find:
    """A queryset's filter and order as MongoDB takes them. To be kept and used again: it takes as long to make as to
    run. `limit` 0: all."""

    collection: str
    where: Mapping[str, Any]
    order: Sequence[tuple[str, int]]
    skip: int = 0
    limit: int = 0

    def documents(self, *fields: str) -> list[Document]:
        """With these columns (all, when none is named) and `_id`; instants are UTC without saying so."""
        connection = connections[DEFAULT_DB_ALIAS]
        cursor = connection.get_collection(self.collection).find(
            self.where,
            dict.fromkeys(fields, 1) if fields else None,
            skip=self.skip,
            limit=self.limit,
            sort=self.order or None,
            batch_size=TOGETHER,
            session=connection.session,
        )
        return cursor.to_list()  # a cursor's own loop costs a microsecond for each


def find_of(queryset: QuerySet) -> Find | None:
    """What it selects; None when that is surely nothing.

    For querysets that filter and order by stored columns of their own collection, with or without a slice.
    """
    query = queryset.query
    compiler = query.get_compiler(connection=connections[queryset.db])
    try:
        compiler.pre_sql_setup()
        compiled = compiler.build_query()
    except EmptyResultSet:
        return None
    if compiled.lookup_pipeline or compiled.aggregation_pipeline or compiled.subqueries:
        raise ValueError("This queryset is more than a filter and an order.")
    return Find(
        queryset.model._meta.db_table,
        compiled.match_mql or {},
        list(compiled.ordering.items()) if compiled.ordering else (),
        query.low_mark,
        0 if query.high_mark is None else query.high_mark - query.low_mark,
    )


def documents_of(queryset: QuerySet, *fields: str) -> list[Document]:
    """The documents of `find_of`, by which it is limited."""
    find = find_of(queryset)
    return find.documents(*fields) if find else []


def instance_of(model: type[M], document: Document) -> M:
    """The row as the ORM would have read it."""
    fields = model._meta.concrete_fields
    return model.from_db(DEFAULT_DB_ALIAS, [field.attname for field in fields], [_value(document, f) for f in fields])


def document_of(instance: Model) -> Document:
    """The row as the ORM would write it."""
    connection = connections[DEFAULT_DB_ALIAS]
    fields = instance._meta.concrete_fields
    return {field.column: field.get_db_prep_save(getattr(instance, field.attname), connection) for field in fields}


def _value(document: Document, field: Field) -> Any:
    value = document.get(field.column)
    if isinstance(field, DateTimeField):
        return instant_of(value)
    return with_zones(value) if isinstance(field, DocumentField) else value
