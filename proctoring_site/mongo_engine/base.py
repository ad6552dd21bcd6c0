"""The wrapper that Django loads: wires the mended pieces together, and mends failed commits (D6)."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import DatabaseError
from django_mongodb_backend.base import DatabaseWrapper as StockDatabaseWrapper
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from proctoring_site.mongo_engine import lookups
from proctoring_site.mongo_engine.operations import DatabaseOperations
from proctoring_site.mongo_engine.schema import DatabaseSchemaEditor

# The backend registers its lookups globally when it is imported, so the mended ones go the same way; twice is harmless.
lookups.register()


class DatabaseWrapper(StockDatabaseWrapper):
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
    mongo_operators: Mapping[str, Callable[[str, Any], dict]] = {
        **StockDatabaseWrapper.mongo_operators,
        "exact": lookups.exact_path,
        "isnull": lookups.isnull_path,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._collections: dict[str, Collection] = {}

    def get_collection(self, name: str, **options: Any) -> Collection:
        """Kept for the next time: it is the same object for ever, and making it costs a tenth of a trip."""
        if options or self.queries_logged:
            return super().get_collection(name, **options)
        kept = self._collections.get(name)
        if kept is None or kept.database is not self.database:
            kept = self._collections[name] = super().get_collection(name)
        return kept

    def get_connection_params(self) -> dict[str, Any]:
        """An adopted BSON date outside Python's years would fail every query that meets it; so it reads as None."""
        return {"datetime_conversion": "DATETIME_AUTO", **super().get_connection_params()}

    def commit_mongo(self) -> None:
        """D6: a failed commit left its session on the thread, whose later atomic() blocks were no transactions."""
        try:
            super().commit_mongo()
        except PyMongoError as error:
            if self.session is None:  # the commit went through; this is an on_commit hook's own error
                raise
            raise DatabaseError("The commit failed, or its outcome is unknown.") from error
        finally:
            self._leave_no_session()

    def rollback_mongo(self) -> None:
        """D6 again, for an abort that is itself cut off."""
        try:
            super().rollback_mongo()
        finally:
            self._leave_no_session()

    def _leave_no_session(self) -> None:
        if self.session is not None:
            self.run_on_commit = []
            self._end_session()
