"""The list of sessions as it is filtered, all of it, as a CSV file, in pieces."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from operator import attrgetter
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from proctoring_site import keyset
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.csv_cells import FOR_EXCEL, instant, lines, safe
from proctoring_site.desk.queue_filters import may_review, shows_queue
from sessions_app.models import Session
from sessions_app.querysets import NEWEST_FIRST, QUEUE_ORDER

ROWS_AT_ONCE = 1000
COLUMNS: Mapping[str, Callable[[Session], object]] = {
    "id": attrgetter("pk"),
    "candidate_name": attrgetter("candidate_name"),
    "state": attrgetter("state.value"),
    "start_time": lambda session: instant(session.start_time),
    "end_time": lambda session: instant(session.end_time),
    "machine_score": attrgetter("machine_score"),
    "reviewed_score": attrgetter("reviewed_score"),
    "reviewed_risk_band": attrgetter("reviewed_band"),
    "policy_version": attrgetter("policy_version"),
    "covered": attrgetter("covered"),
    "incidents": attrgetter("incident_count"),
    "open_incidents": attrgetter("open_incidents"),
    "confirmed_incidents": attrgetter("confirmed_incidents"),
    "has_video": lambda session: "yes" if session.video_name else "no",
    "review_outcome": attrgetter("outcome.value"),
    "reviewed_by": attrgetter("outcome_by"),
    "reviewed_at": lambda session: instant(session.reviewed_at),
    "assigned_to": attrgetter("assigned_to"),
    "due_at": lambda session: instant(session.due_at),
}


@require_GET
def export(request: HttpRequest, *, desk: Any) -> HttpResponseBase:
    if not may_review(request.user):
        raise Http404
    try:
        sessions = desk.get_changelist_instance(request).queryset
    except IncorrectLookupParameters:
        return redirect(f"{reverse('admin:sessions_app_session_changelist')}?e=1")
    record(Action.EXPORTED, ObjectKind.SESSION, filters=sorted(request.GET))
    order = QUEUE_ORDER if shows_queue(request) else NEWEST_FIRST
    headers = {"Content-Disposition": f'attachment; filename="sessions-{timezone.now():%Y%m%dT%H%M%SZ}.csv"'}
    return StreamingHttpResponse(csv_pieces(sessions, order), content_type="text/csv; charset=utf-8", headers=headers)


def csv_pieces(sessions: QuerySet, order: keyset.Order) -> Iterator[bytes]:
    """The header first. Whom a piece tells of is recorded before it, as by who asks now: pieces are made when the
    request itself is over."""
    as_asked = copy_context()
    return _csv_pieces(sessions, order, lambda ids: as_asked.run(_record, ids))


def _csv_pieces(sessions: QuerySet, order: keyset.Order, record_all: Callable[[list[str]], None]) -> Iterator[bytes]:
    yield FOR_EXCEL + lines([list(COLUMNS)])
    for piece in keyset.pieces_of(sessions, order, size=ROWS_AT_ONCE):
        record_all([session.pk for session in piece])
        yield lines([[safe(cell(session)) for cell in COLUMNS.values()] for session in piece])


def _record(ids: list[str]) -> None:
    record(Action.LISTED, ObjectKind.SESSION, filters=["export"], sessions=ids)
