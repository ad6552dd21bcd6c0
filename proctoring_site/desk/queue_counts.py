"""How much waits in the queue, for the line above it: counted up to a limit, each part by an index."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from proctoring_site.desk.queue_filters import may_review
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app.models import Session, now
from sessions_app.review import assignment
from sessions_app.review.states import AWAITING_REVIEW_BELOW, SECOND_REVIEW_BELOW, Outcome, queue_rank

#: Where "and more" begins: nobody plans by the exact number of a pile so high.
COUNTED_UP_TO = 1000
BANDS = ("high", "medium", "insufficient_data", "low")


@dataclass(frozen=True, slots=True)
class Count:
    """`key`: stable, for the page's script. `text`: the number, or that it is more than COUNTED_UP_TO."""

    key: str
    label: str
    url: str
    n: int

    @property
    def text(self) -> str:
        return f"{COUNTED_UP_TO:,}+" if self.n > COUNTED_UP_TO else f"{self.n:,}"


def counts_for(names: Iterable[str], *, at: datetime) -> list[Count]:
    """`names`: what `assigned_to` says of the reader's sessions."""
    undecided = {"$gte": 0, "$lt": SECOND_REVIEW_BELOW}
    wanted: dict[str, tuple[str, str, dict[str, Any]]] = {
        band: (
            f"{band.replace('_', ' ')} to review",
            f"review=awaiting&band={band}",
            {"queue_rank": queue_rank(Outcome.NOT_REVIEWED, band)},
        )
        for band in BANDS
    }
    second = {"queue_rank": {"$gte": AWAITING_REVIEW_BELOW, "$lt": SECOND_REVIEW_BELOW}}
    mine = {"assigned_to": {"$in": list(names)}, "queue_rank": undecided}
    late = {**mine, "due_at": {"$lt": naive_utc(at)}}  # mine alone: overdue ones of all would be looked for among all
    wanted["second"] = ("second review", "review=second", second)
    wanted["mine"] = ("open, mine", "assigned=mine&review=open", mine)
    wanted["late"] = ("overdue, mine", "assigned=late", late)
    queue = reverse("admin:sessions_app_session_changelist")
    return [Count(key, label, f"{queue}?{query}", _counted(match)) for key, (label, query, match) in wanted.items()]


def answer(request: HttpRequest, *, desk: ModelAdmin) -> HttpResponse:
    """The numbers as JSON, by key, for the page's script."""
    if not may_review(request.user):
        raise Http404
    counts = counts_for(assignment.names_of(request.user), at=now())
    return JsonResponse({count.key: count.text for count in counts})


def _counted(match: dict[str, Any]) -> int:
    """One trip each: `$unionWith` would make them one, and is not to be had within a transaction."""
    rows = connection.get_collection(Session._meta.db_table)
    return rows.count_documents(match, limit=COUNTED_UP_TO + 1, session=connection.session)
