"""Schema changes: unique indexes that queries can use (D3), literal defaults (D7), time for large collections."""

from types import TracebackType
from typing import Any, Self

import pymongo
from django.db.models import Field, Index, Model
from django_mongodb_backend.query import wrap_database_errors
from django_mongodb_backend.schema import DatabaseSchemaEditor as StockDatabaseSchemaEditor
from pymongo.errors import OperationFailure
from pymongo.operations import IndexModel

#: One migration's time. The client's own timeoutMS is meant for requests and would cut off a large index build.
SCHEMA_TIMEOUT_S = 60 * 60
INDEX_NOT_FOUND = 27


class DatabaseSchemaEditor(StockDatabaseSchemaEditor):
    def __enter__(self) -> Self:
        self._time_limit = pymongo.timeout(SCHEMA_TIMEOUT_S)
        self._time_limit.__enter__()
        return super().__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            super().__exit__(exc_type, exc_value, traceback)
        finally:
            self._time_limit.__exit__(exc_type, exc_value, traceback)

    @wrap_database_errors
    def create_model(self, model: type[Model]) -> None:
        """Take an existing collection over: its documents stay, the indexes that it lacks are built.

        The earlier service's database has some of ours; and MongoDB has no transaction around a migration, so one
        that was cut off before it was recorded finds its own collections when it is run again.
        """
        if model._meta.db_table not in self.connection.introspection.table_names():
            super().create_model(model)
            return
        self._create_model_indexes(model)
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)

    def add_index(self, model: type[Model], index: Index, *, unique: bool = False, **options: Any) -> None:
        wanted = MissingIndex(UsableUniqueIndex(index) if unique else index)
        super().add_index(model, wanted, unique=unique, **options)

    def remove_index(self, model: type[Model], index: Index) -> None:
        """One that is not there is removed: by a migration that was cut off before it was recorded, or it never was
        built, since another of the same keys served (`MissingIndex`)."""
        try:
            super().remove_index(model, index)
        except OperationFailure as error:
            if error.code != INDEX_NOT_FOUND:
                raise

    def effective_default(self, field: Field) -> dict:
        """D7: AddField and NULL to NOT NULL put the bare default into a `$set`, which reads `{}` or "$x" as code."""
        return {"$literal": super().effective_default(field)}


class UsableUniqueIndex:
    """D3: every official unique index is partial, `{$type: …}`, and no query for `field = x` can use it.

    The filter is there to allow several NULLs; where the model allows none, it goes.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def get_pymongo_index_model(
        self, model: type[Model], schema_editor: DatabaseSchemaEditor, *, field: Field | None, **options: Any
    ) -> IndexModel | None:
        built = self._index.get_pymongo_index_model(model, schema_editor=schema_editor, field=field, **options)
        if built is None or options["column_prefix"]:  # an embedded document may be NULL as a whole
            return built
        where = built.document.pop("partialFilterExpression", {})
        for indexed in [field] if field else [model._meta.get_field(name) for name, _ in self._index.fields_orders]:
            if not indexed.null:
                where[indexed.column].pop("$type")
        where = {name: rule for name, rule in where.items() if rule}
        if where:
            built.document["partialFilterExpression"] = where
        return built


class MissingIndex:
    """An index of the same keys and rules under another name serves as well, and MongoDB refuses a second one."""

    def __init__(self, index: Index | UsableUniqueIndex) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def get_pymongo_index_model(
        self, model: type[Model], schema_editor: DatabaseSchemaEditor, **options: Any
    ) -> IndexModel | None:
        wanted = self._index.get_pymongo_index_model(model, schema_editor=schema_editor, **options)
        if not isinstance(wanted, IndexModel):
            return wanted
        there = schema_editor.connection.database[model._meta.db_table].index_information()
        return None if any(_serves(found, wanted.document) for found in there.values()) else wanted


def _serves(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    rules = ("unique", "partialFilterExpression")
    same_rules = all((found.get(rule) or None) == (wanted.get(rule) or None) for rule in rules)
    return same_rules and list(found["key"]) == list(wanted["key"].items())
