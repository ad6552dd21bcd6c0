"""What the audit log took, and records for it to show, for tests of it."""

import csv
import io
import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection

from proctoring_site.audit.models import Action, ActorKind, AuditRecord, ObjectKind
from proctoring_site.csv_cells import FOR_EXCEL
from tests.factories import NOON

LIST, EXPORT = "/admin/audit/auditrecord/", "/admin/audit/auditrecord/export/"
FIELDS = ["id", "at", "actor_kind", "actor_id", "actor_name", "action", "object_kind", "object_id"]
FIELDS += ["address", "request_id", "changes", "details"]


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


def make_record(**overrides):
    fields = {"at": NOON, "actor_kind": ActorKind.USER, "actor_name": "rita", "action": Action.LOOKED}
    fields |= {"object_kind": ObjectKind.SESSION, "object_id": "exam-1", "request_id": "request-1"}
    return AuditRecord(**{**fields, **overrides})


def write(*records):
    return AuditRecord.objects.bulk_create(records)


def write_many(count, **overrides):
    return write(*(make_record(at=NOON + timedelta(seconds=n), **overrides) for n in range(count)))


def exported(auditor, **query):
    """The rows without the head, and without the export's own record."""
    answer = auditor.get(EXPORT, query)
    assert answer.status_code == 200
    content = answer.getvalue()
    assert content.startswith(FOR_EXCEL)
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert head == FIELDS
    rows = [dict(zip(head, row, strict=True)) for row in rows]
    return [row for row in rows if row["action"] != "exported"]
