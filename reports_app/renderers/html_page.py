"""The report as one self-contained page: no script, nothing from elsewhere, readable on screen and on paper."""

import re
from collections.abc import Sequence
from html import escape

from django.template.loader import render_to_string
from django.utils.formats import localize
from django.utils.safestring import SafeString

from reports_app.builder import EventFact, Report
from reports_app.renderers import timeline
from sessions_app import moments
from sessions_app.coverage import in_words
from sessions_app.review.states import Outcome
from sessions_app.scoring import FULL_SCORE

#: What neither HTML nor XML may hold: control characters, lone surrogates. Adopted texts can have any.
NOT_FOR_A_PAGE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: In a string of a style sheet each may be written as its number; what ends the string, or the sheet, has to be.
NOT_FOR_A_STYLE = re.compile("[^A-Za-z0-9-]")

#: The table of events is put together here: in a template every step costs, and there may be thousands.
ROW = '<tr><td>{}</td><td>{}</td><td>{}</td><td class="soft">{}</td></tr>\n'
TIME = '<time datetime="{}">{} {}</time>'

OUTCOMES = {outcome.value: outcome.label for outcome in Outcome}


def render(report: Report, events: Sequence[EventFact]) -> bytes:
    weighed = {deduction.event_type for deduction in report.deductions}
    page = render_to_string(
        "reports_app/report.html",
        {
            "report": report,
            "id_in_style": NOT_FOR_A_STYLE.sub(_in_style, report.session_id),
            "event_count": len(events),
            "rows": SafeString("".join(map(_row, events))),
            "timeline": timeline.draw(report, events, weighed=weighed),
            "total_deducted": FULL_SCORE - report.integrity_score,
            "reviewed_deducted": FULL_SCORE - report.reviewed_integrity_score,
            "has_caps": any(one.cap is not None for one in (*report.deductions, *report.reviewed_deductions)),
            "duration": moments.length(report.interview_duration_seconds) if report.has_length else "unknown",
            "name": str(report.candidate_name).strip() or "(no name)",
            "outcome": OUTCOMES.get(report.review_outcome, report.review_outcome),
            "watched": in_words(report.coverage),
            "clock_skew": _clock_skew(report.clock_skew_ms),
            "unweighed": [(name, n) for name, n in report.event_counts.items() if name not in weighed],
        },
    )
    return NOT_FOR_A_PAGE.sub("\N{REPLACEMENT CHARACTER}", page).encode()


def _in_style(letter: re.Match[str]) -> str:
    return f"\\{ord(letter[0]):06x}"


def _row(event: EventFact) -> str:
    """One event as the table shows it; every text is escaped."""
    instant = event.at.isoformat() if event.at else ""
    told = [f"{localize(event.duration_s)} s"] if event.duration_s is not None else []
    if event.confidence is not None:
        told.append(f"confidence {localize(event.confidence)}")
    if event.source is not None:
        told.append(str(localize(event.source)))
    told += map(str, map(localize, event.marks))
    if event.data is not None:
        told.append(event.data_as_json)
    at = TIME.format(instant, instant[:10], instant[11:19]) if instant else "unknown"
    message = "" if event.message is None else str(localize(event.message))
    return ROW.format(at, escape(event.event_type or "(no type)"), escape(message), escape(", ".join(told)))


def _clock_skew(skew_ms: int | None) -> str:
    if skew_ms is None:
        return ""
    return f"{abs(skew_ms) / 1000:.1f} s, {'ahead' if skew_ms > 0 else 'behind'}; times here are corrected"
