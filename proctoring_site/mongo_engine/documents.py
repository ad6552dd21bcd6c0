"""What a queryset selects, as raw documents: the same filter and order, without a model per row.

What it buys: docs/performance.md. The queryset stays the only place where it is said which rows those are, and in
which order; here it is only asked.
"""

from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import DateTimeField, Field, Model, QuerySet

from proctoring_site.mongo_engine.fields import DocumentField, with_zones
from proctoring_site.mongo_engine.instants import instant_of

Document = dict[str, Any]
M = TypeVar("M", bound=Model)
#: One trip for the rows of a page: without it the first answer holds 101 of them.
TOGETHER = 10_000


def documents_of(queryset: QuerySet, *fields: str) -> list[Document]:
    """The documents with these columns (all, when none is named) and `_id`; instants are UTC without saying so.

    For querysets that filter and order by stored columns of their own collection, with or without a slice.
    """
    connection = connections[queryset.db]
    compiler = queryset.query.get_compiler(connection=connection)
    try:
        compiler.pre_sql_setup()
        compiled = compiler.build_query()
    except EmptyResultSet:
        return []
    if compiled.lookup_pipeline or compiled.aggregation_pipeline or compiled.subqueries:
        raise ValueError("This queryset is more than a filter and an order.")
    query = queryset.query
    cursor = connection.get_collection(queryset.model._meta.db_table).find(
        compiled.match_mql or {},
        dict.fromkeys(fields, 1) if fields else None,
        skip=query.low_mark,
        limit=0 if query.high_mark is None else query.high_mark - query.low_mark,
        sort=list(compiled.ordering.items()) if compiled.ordering else None,
        batch_size=TOGETHER,
        session=connection.session,
    )
    return list(cursor)


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
