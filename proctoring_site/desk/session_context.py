"""What the page of a session is drawn from: asked of the database once each, as far as the reader's rights go."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.utils import quote
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.urls import reverse

from media_app.models import Recording
from proctoring_site.access.roles import Right, may
from proctoring_site.desk import playlist, queue_next, review_view, session_acts, session_view
from proctoring_site.desk.review_view import Row
from proctoring_site.desk.sitting import SittingTime
from sessions_app import acts, coverage, heartbeat, mending, moments, services, too_late
from sessions_app.admin import state_in_words
from sessions_app.models import Session
from sessions_app.review import services as reviews

EVENTS_PER_PAGE = 100
#: The timeline shows all; the keys go on from page to page.
INCIDENTS_PER_PAGE = 200


def of(
    request: HttpRequest, session: Session, answer: session_acts.Answer | None, *, supervises: bool
) -> dict[str, Any]:
    """`answer`: of what was just tried; what was refused is shown with what was typed."""
    sees_evidence = may(request.user, Right.SEE_EVIDENCE)
    context: dict[str, Any] = {
        "original": session,
        "state": state_in_words(session),
        "duration": _length(session),
        "act_forms": acts.forms_for(session) if supervises else [],
        "facts": list(_facts(session, sees_evidence=sees_evidence)),
        "history": session_view.history(session, asked=supervises),
    }
    return context | (_evidence(request, session, answer) if sees_evidence else {})


def _evidence(request: HttpRequest, session: Session, answer: session_acts.Answer | None) -> dict[str, Any]:
    review = reviews.review_of(session)
    if session.end_time is None and len(review.events) != sum(session.counts.values()):
        mending.look_soon(session.pk)
    time = SittingTime.of(session.start_time, (event.at for event in review.events))
    rows = [review_view.row_of(incident, time) for incident in review.incidents]
    recordings = list(Recording.objects.of(session.pk))
    screens = playlist.screens_of(session, recordings)
    drawn = session_view.drawing(session, review.events, rows, time, ends=playlist.end_of(screens))
    wanted = review_view.key_now(review, answer.picked if answer else request.GET.get("incident"))
    picked = next((row for row in rows if row.key == wanted), None)
    page = _page_of(rows, picked, request.GET.get("incidents"))
    may_decide = may(request.user, Right.DECIDE)
    asked = {"incidents": page.number} if page.number > 1 else {}
    query = {**asked, **queue_next.kept(request)}
    forms = session_acts.forms_of(session, review, picked, by=request.user, answer=answer) if may_decide else {}
    return {
        "review": review_view.of(session, review, time=time, notes=reviews.notes_of(session), reader=request.user),
        "rows": page,
        "last_before": rows[page.start_index() - 2] if page.has_previous() else None,
        "first_after": rows[page.end_index()] if page.has_next() else None,
        "elsewhere": _elsewhere(rows, page),
        "picked": picked,
        "moves": picked.moves if picked else (),  # of None a template would hide nothing
        "timeline": drawn,
        "screens": screens,
        "recordings": recordings,
        "has_video": any(screen.first_url for screen in screens),
        "script_facts": {
            "from": drawn.begins,
            "until": drawn.ends,
            "start": time.zero and round(time.zero.timestamp() * 1000),
            "tracks": playlist.for_script(screens),
            "pictures": playlist.pictures_url(session),
            "asked": picked.key if picked else None,
        },
        "may_decide": may_decide,
        "forms": forms,
        "allowances": [(one, forms.get(f"revoke {one.event_type}")) for one in reviews.allowances_of(session)],
        "act_url": reverse("admin:sessions_app_session_review", args=[quote(session.pk)], query=query),
        "history": session_view.history(session, reviews.history_of(session), asked=True, time=time),
        **_events(request, session),
    }


def _page_of(rows: list[Row], picked: Row | None, number: str | None) -> Page:
    pages = Paginator(rows, INCIDENTS_PER_PAGE)
    return pages.page(rows.index(picked) // INCIDENTS_PER_PAGE + 1) if picked else pages.get_page(number)


def _elsewhere(rows: list[Row], page: Page) -> list[tuple[str, float, float, str]]:
    """Those of other pages, for the timeline's script: key, begin and end, type."""
    others = (*rows[: page.start_index() - 1], *rows[page.end_index() :]) if rows else ()
    return [(row.key, round(row.at, 3), round(row.until, 3), row.type) for row in others]


def _events(request: HttpRequest, session: Session) -> dict[str, Any]:
    """A page of the events, of one type where the address says so."""
    event_type = request.GET.get("type")
    of_type = event_type is not None and event_type in session.counts
    rows = Paginator(session.events.in_order(), EVENTS_PER_PAGE)
    rows.count = sum(session.counts.values())
    if of_type:
        rows = Paginator(session.events.in_order().filter(event_type=event_type), EVENTS_PER_PAGE)
        rows.count = session.counts[event_type]
    page = rows.get_page(request.GET.get("events"))
    return {
        "event_page": page,
        "event_lines": [session_view.event_line(event) for event in page],
        "event_type": event_type if of_type else None,
    }


def _length(session: Session) -> str:
    """Empty while it runs, and where an adopted session does not tell."""
    if session.end_time is None or session.start_time is None or session.end_time < session.start_time:
        return ""
    return moments.length(session.duration_s)


def _facts(session: Session, *, sees_evidence: bool) -> Iterator[tuple[str, str]]:
    yield "State", state_in_words(session)
    yield "Started (UTC)", f"{session.start_time:%Y-%m-%d %H:%M:%S}" if session.start_time else "unknown"
    yield "Ended (UTC)", f"{session.end_time:%Y-%m-%d %H:%M:%S}" if session.end_time else "not yet"
    if session.last_seen_at:
        yield "Last heard from (UTC)", f"{session.last_seen_at:%Y-%m-%d %H:%M:%S}"
    if not sees_evidence:
        return
    yield "Watched", coverage.in_words(heartbeat.coverage_of(session))
    if isinstance(session.heartbeat, dict) and (browser := session.heartbeat.get("browser")):
        yield "Browser", browser
    skew_ms = services.clock_skew_ms(session)
    if skew_ms is not None:
        way = "ahead" if skew_ms > 0 else "behind"
        yield "Client's clock", f"{abs(skew_ms) / 1000:.1f} s {way}; times here are corrected"
    refused, last_at = too_late.of(session)
    if refused:
        events, at = f"{refused} event{'' if refused == 1 else 's'}", f"{last_at:%Y-%m-%d %H:%M:%S} UTC"
        yield "Came too late, not kept", f"{events}, every sending counted; the last at {at}"
