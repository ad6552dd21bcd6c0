"""The audit log as CSV, in pieces: however long the log, only one piece is in memory."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet

from proctoring_site import keyset
from proctoring_site.audit.models import AuditRecord
from proctoring_site.csv_cells import FOR_EXCEL, instant, lines, safe, safe_json

ROWS_AT_ONCE = 1000
COLUMNS = tuple(field.name for field in AuditRecord._meta.fields)


def csv_pieces(records: QuerySet) -> Iterator[bytes]:
    """The header first, then the records, newest first."""
    yield FOR_EXCEL + lines([COLUMNS])
    for piece in keyset.pieces_of(records, ("-at", "-id"), size=ROWS_AT_ONCE):
        yield lines([_row(record) for record in piece])


def _row(record: AuditRecord) -> list[str]:
    cells = {name: safe(getattr(record, name)) for name in COLUMNS}
    cells["at"] = instant(record.at)
    for name in ("changes", "details"):
        cells[name] = safe_json(json.dumps(getattr(record, name), ensure_ascii=False, default=str))
    return list(cells.values())
