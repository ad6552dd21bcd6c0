"""A field for what BSON can hold and JSON cannot: documents and lists with instants in them."""

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class DocumentField(models.Field):
    """Stored as it is. The backend's JSONField goes through JSON text, which has no word for an instant.

    Instants are read with their zone, UTC. There are no look-ups inside; whoever needs one has the collection.
    """

    def get_internal_type(self) -> str:
        return "DocumentField"  # none that the backend converts

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "object"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return with_zones(value)


def with_zones(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, dict):
        return {name: with_zones(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_zones(inner) for inner in value]
    return value
