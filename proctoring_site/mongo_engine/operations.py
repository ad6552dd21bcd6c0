"""Values on their way to and from MongoDB: escaped patterns (D4), and what adopted documents hold in place of instants
and whole numbers."""

import re
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import BaseExpression
from django_mongodb_backend.operations import DatabaseOperations as StockDatabaseOperations

from proctoring_site.mongo_engine.instants import parse_instant


class DatabaseOperations(StockDatabaseOperations):
    compiler_module = "proctoring_site.mongo_engine.compiler"

    def prep_for_iexact_query(self, x: str) -> str:
        """D4: the official backend escapes LIKE patterns only, so that an iexact value ran as a regular expression."""
        return re.escape(x)

    def convert_datetimefield_value(
        self, value: Any, expression: BaseExpression, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        """Text is read as an instant; what is no instant at all reads as None, so that one bad row fails no list."""
        if isinstance(value, datetime):
            return super().convert_datetimefield_value(value, expression, connection)
        return parse_instant(value)

    def convert_integerfield_value(
        self, value: Any, expression: BaseExpression, connection: BaseDatabaseWrapper
    ) -> int | None:
        """What is no number reads as None, for the same reason."""
        try:
            return super().convert_integerfield_value(value, expression, connection)
        except (TypeError, ValueError, OverflowError):
            return None
