"""What the audit log took, for tests of it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from proctoring_site.audit.models import AuditRecord


@contextmanager
def recording() -> Generator[list[AuditRecord], None, None]:
    """Empty within; afterwards, the records that were added within, oldest first."""
    before = set(AuditRecord.objects.values_list("pk", flat=True))
    added: list[AuditRecord] = []
    yield added
    added += [record for record in AuditRecord.objects.order_by("at", "id") if record.pk not in before]


def told(records: list[AuditRecord]) -> list[tuple[str, str, str]]:
    return [(record.action, record.object_kind, record.object_id) for record in records]


def whole_database() -> str:
    """Every document of every collection, as text: what must stand nowhere is not in it."""
    documents: list[dict[str, Any]] = []
    for name in connection.database.list_collection_names():
        documents += connection.database[name].find(session=connection.session)
    return json.dumps(documents, default=str)
