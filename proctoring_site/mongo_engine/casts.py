"""Values of adopted documents as numbers, within a query."""

from typing import Any

from django.db.models import IntegerField
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler
from django_mongodb_backend.base import DatabaseWrapper


class WholeNumber(Cast):
    """What is there as a whole number, and 0 where it is none: the backend's own Cast fails the query of everybody
    for one such document."""

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, IntegerField())

    def as_mql_expr(self, compiler: SQLCompiler, connection: DatabaseWrapper) -> dict[str, Any]:
        stored = self.get_source_expressions()[0].as_mql(compiler, connection, as_expr=True)
        return {"$convert": {"input": stored, "to": "long", "onError": 0, "onNull": 0}}
