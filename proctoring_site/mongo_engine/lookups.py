"""Values of lookups that stay values (D5): never read as a field path, an expression, an operator or a pattern."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Lookup
from django.db.models.lookups import IExact, PatternLookup
from django.db.models.sql.compiler import SQLCompiler
from django_mongodb_backend import lookups as stock_lookups
from django_mongodb_backend.base import DatabaseWrapper
from django_mongodb_backend.fields import json as stock_json
from django_mongodb_backend.fields.json import build_json_mql_path as stock_json_path
from django_mongodb_backend.query_utils import is_direct_value
from django_mongodb_backend.query_utils import process_rhs as stock_process_rhs


def process_rhs(node: Lookup, compiler: SQLCompiler, connection: DatabaseWrapper, as_expr: bool = False) -> Any:
    """D5: in an expression (`Count(filter=…)`, `When(…)`) the bare value "$name" meant the field, and matched all."""
    if not is_direct_value(node.rhs):
        if isinstance(node, (PatternLookup, IExact)) and not as_expr:
            # A constant such as Value("a.b") went into the pattern unescaped, or as the text of a Python dict.
            return re.escape(str(node.rhs.as_mql(compiler, connection)))
        return stock_process_rhs(node, compiler, connection, as_expr=as_expr)
    value = stock_process_rhs(node, compiler, connection, as_expr=as_expr)
    if not as_expr:
        return value
    if node.lookup_name == "range":  # its operator takes the two bounds apart
        return tuple(map(_literal, value))
    return _literal(value)


def _literal(value: Any) -> Any:
    """Numbers, instants, None and so on are what they are; text, lists and objects could be read as expressions."""
    return {"$literal": value} if isinstance(value, (str, list, tuple, dict)) else value


def exact_path(path: str, value: Any) -> dict:
    """The same for a plain filter on a JSON field, where `{"$gt": …}` was read as an operator."""
    return {path: {"$eq": value}} if isinstance(value, dict) else {path: value}


def isnull_path(path: str, is_null: bool) -> dict:
    """The same rows as the official `$or` of null and missing, by one index scan: the two branches of that `$or` were
    merged by a sort that puts missing behind null, while the index that orders all other pages does not."""
    return {path: None} if is_null else {path: {"$ne": None}}


def json_path(lhs: Any, key_transforms: Iterable[str], as_expr: bool = False) -> Any:
    """The same for a key of a JSON field: `has_key="$name"` was a field path, which the server refuses there."""
    if not as_expr:
        return stock_json_path(lhs, key_transforms)
    for key in key_transforms:
        if key.startswith("$"):
            lhs = {"$getField": {"input": lhs, "field": {"$literal": key}}}
        else:
            lhs = stock_json_path(lhs, [key], as_expr=True)
    return lhs


def register() -> None:
    """Put the above in place of the names that the backend's own lookups call; its class hierarchy stays as it is.

    Global, as the backend's own registration is, and idempotent.
    """
    stock_lookups.process_rhs = process_rhs
    stock_json.process_rhs = process_rhs
    stock_json.build_json_mql_path = json_path
    # Escapes the value of another column, which iexact alone used as a regular expression.
    IExact.prep_lookup_value_mongo = PatternLookup.prep_lookup_value_mongo
