"""Pipelines in an order that indexes can serve (D1, D2)."""

from collections.abc import Iterator
from typing import Any

from django.db.models.expressions import Col, Expression, OrderBy, Ref
from django_mongodb_backend import compiler as stock
from django_mongodb_backend.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django_mongodb_backend.query import MongoQuery

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]


class IndexFriendlyQuery(MongoQuery):
    """A query on stored columns of the main collection sorts right after its `$match`.

    D1: the official order puts `$addFields` or `$project` before `$sort`, so that no index gives the order: it reads
    and sorts every match. D2: it joins every match before it filters, sorts and limits.
    """

    orders_by_stored_columns = False

    def get_pipeline(self) -> list[dict]:
        if not self._sorts_early():
            return super().get_pipeline()
        pipeline = self._early_pipeline()
        if self.subquery_lookup:
            wrapped = super().get_pipeline()  # a `$lookup` with the subquery inside, and what unpacks its result
            wrapped[0]["$lookup"]["pipeline"] = pipeline
            return wrapped
        return pipeline

    def _sorts_early(self) -> bool:
        # Asked late: a subquery gets its aggregation after it was built.
        reshaped = self.search_pipeline or self.aggregation_pipeline or self.combinator_pipeline
        adds_only = all(query.subquery_lookup for query in self.subqueries or ())  # each one a field per document
        return self.orders_by_stored_columns and adds_only and not reshaped

    def _early_pipeline(self) -> list[dict]:
        match = [{"$match": self.match_mql}] if self.match_mql else []
        sort, joins = [{"$sort": self.ordering}], [*(self.lookup_pipeline or [])]
        for query in self.subqueries or ():
            joins += query.get_pipeline()
        pipeline = [*match, *sort, *joins] if self._matches_before(joins) else [*joins, *match, *sort]
        # Skip and limit stay behind the joins: an inner join drops rows (events whose session is gone).
        if self.query.low_mark > 0:
            pipeline.append({"$skip": self.query.low_mark})
        if self.query.high_mark is not None:
            pipeline.append({"$limit": self.query.high_mark - self.query.low_mark})
        if self.project_fields:
            pipeline.append({"$project": self.project_fields})
        return pipeline

    def _matches_before(self, joins: list[dict]) -> bool:
        """Whether the filter surely names no joined collection; `$expr` may hide one in a value."""
        joined = {stage["$lookup"]["as"] for stage in joins if "$lookup" in stage}
        return not joined or not any(key == "$expr" or key.split(".")[0] in joined for key in _keys(self.match_mql))


def _column_name(expression: Expression) -> str | None:
    return expression.target.column if isinstance(expression, Col) else None


def _keys(mql: Any) -> Iterator[str]:
    if isinstance(mql, dict):
        yield from mql
        for value in mql.values():
            yield from _keys(value)
    elif isinstance(mql, (list, tuple)):
        for value in mql:
            yield from _keys(value)


class SQLCompiler(stock.SQLCompiler):
    query_class = IndexFriendlyQuery

    def build_query(self, columns: tuple | None = None) -> IndexFriendlyQuery:
        query = super().build_query(columns)
        order = self.order_by_objs or []
        query.orders_by_stored_columns = bool(order) and all(map(self._is_stored_column, order))
        return query

    def _is_stored_column(self, order: OrderBy) -> bool:
        column = order.expression
        if isinstance(column, Ref) and column.as_mql(self, self.connection) == _column_name(column.source):
            column = column.source  # values("timestamp").order_by("timestamp"), under the column's own name
        own = isinstance(column, Col) and column.alias == self.collection_name
        return own and not (order.nulls_first or order.nulls_last)


class SQLAggregateCompiler(stock.SQLAggregateCompiler, SQLCompiler):
    """Aggregates over an inner query, which is an SQLCompiler of this module."""
