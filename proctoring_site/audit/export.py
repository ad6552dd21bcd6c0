"""The audit log as CSV, in pieces: however long the log, only one piece is in memory."""

import json
from collections.abc import Iterator

from django.db.models import Q, QuerySet

from proctoring_site.audit.models import AuditRecord
from proctoring_site.csv_cells import instant, lines, safe, safe_json

ROWS_AT_ONCE = 1000
COLUMNS = tuple(field.name for field in AuditRecord._meta.fields)


def csv_pieces(records: QuerySet) -> Iterator[bytes]:
    """UTF-8 without a byte order mark; the header first, then the records, newest first."""
    yield lines([COLUMNS])
    for page in _pages(records.order_by("-at", "-id")):
        yield lines([_row(record) for record in page])


def _pages(records: QuerySet) -> Iterator[list[AuditRecord]]:
    """By keyset. One cursor over all would do, but the driver fetches 16 MB of it at a time, and decodes them whole."""
    page = list(records[:ROWS_AT_ONCE])
    while page:
        yield page
        if len(page) < ROWS_AT_ONCE:
            return
        last, page = page[-1], []
        for part in (Q(at=last.at, id__lt=last.pk), Q(at__lt=last.at)):  # each is one range of an index
            if len(page) < ROWS_AT_ONCE:
                page += records.filter(part)[: ROWS_AT_ONCE - len(page)]


def _row(record: AuditRecord) -> list[str]:
    cells = {name: safe(getattr(record, name)) for name in COLUMNS}
    cells["at"] = instant(record.at)
    for name in ("changes", "details"):
        cells[name] = safe_json(json.dumps(getattr(record, name), ensure_ascii=False, default=str))
    return list(cells.values())
