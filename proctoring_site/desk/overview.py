"""The overview: how much there is, how long it waits, and which detector is often wrong. Charts that print."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from proctoring_site.desk import charts
from proctoring_site.desk.charts import Chart, Figure
from proctoring_site.desk.overview_facts import DAYS, JUDGED_MIN, JUDGEMENTS_MAX, Detector, Facts, facts_at
from proctoring_site.desk.queue_filters import may_review
from sessions_app import scoring
from sessions_app.models import now

CACHED_AS, CACHED_FOR_S = "desk.overview", 60


def urls(desk: ModelAdmin) -> list[URLPattern]:
    view = desk.admin_site.admin_view(partial(page, desk=desk))
    return [path("overview/", view, name="sessions_app_session_overview")]


def page(request: HttpRequest, *, desk: ModelAdmin) -> HttpResponse:
    """Numbers of many sessions and of nobody's: no look at anybody, and so not in the audit log."""
    if not may_review(request.user):
        raise Http404
    at, found = cache.get(CACHED_AS) or _fresh()
    facts: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": "Overview",
        "notice": scoring.FLAGS_ARE_NOT_FINDINGS,
        "at": at,
        "charts": charts_of(found),
    }
    return TemplateResponse(request, "desk/overview.html", facts)


def _fresh() -> tuple[datetime, Facts]:
    """Kept for a minute by this process: what the index of a month of sessions says costs as much as there are."""
    at = now()
    found = facts_at(at)
    cache.set(CACHED_AS, (at, found), CACHED_FOR_S)
    return at, found


def charts_of(facts: Facts) -> list[Chart]:
    return [
        charts.columns(
            "days",
            "Sessions per day",
            [Figure(day, n) for day, n in facts.per_day.items()],
            heads=("Day (UTC)", "Sessions started"),
            description=f"Sessions by the day they started (UTC), the last {DAYS} days: "
            f"{sum(facts.per_day.values()):,} in all.",
        ),
        charts.bars(
            "bands",
            "Risk bands",
            _bands(facts.bands),
            heads=("Band, as reviewed", "Sessions"),
            description=f"Closed sessions that started in the last {DAYS} days, by the band of their score as "
            "reviewed. Flags are not findings; a person decides.",
        ),
        charts.bars(
            "open",
            "Open reviews",
            [*_bands(facts.undecided), Figure("second review", facts.second_reviews)],
            heads=("Band, as reviewed", "Sessions waiting"),
            description="Closed sessions that nobody has decided on yet, whenever they started.",
        ),
        charts.bars(
            "waits",
            "Time to review",
            [Figure(name, n) for name, n in facts.waits.items()] if any(facts.waits.values()) else [],
            heads=("From the end to the decision", "Sessions"),
            description=f"Decided sessions that started in the last {DAYS} days, by the time from the end of the "
            "session to the decision.",
        ),
        charts.bars(
            "detectors",
            "Dismissed incidents, by event type and detector",
            [_detector(each) for each in facts.detectors],
            heads=("Event type and detector", "Dismissed"),
            full=1,
            description=f"The share that reviewers dismissed, of the last {JUDGEMENTS_MAX:,} judgements; pairs "
            f"judged fewer than {JUDGED_MIN} times are left out. A detector that is often dismissed is often wrong.",
        ),
    ]


def _bands(counts: Mapping[str, int]) -> list[Figure]:
    return [Figure(name.replace("_", " "), n, kind=name) for name, n in counts.items()] if any(counts.values()) else []


def _detector(each: Detector) -> Figure:
    said = f"{each.dismissed / each.judged:.0%} ({each.dismissed:,} of {each.judged:,})"
    return Figure(f"{each.event_type}, {each.source or 'no detector named'}", each.dismissed / each.judged, said)
