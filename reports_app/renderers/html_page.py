"""The report as one self-contained page: no script, nothing from elsewhere, readable on screen and on paper."""

from collections.abc import Sequence

from django.template.loader import render_to_string

from reports_app.builder import EventFact, Report
from reports_app.renderers import timeline
from sessions_app.scoring import FULL_SCORE


def render(report: Report, events: Sequence[EventFact]) -> bytes:
    weighed = {deduction.event_type for deduction in report.deductions}
    page = render_to_string(
        "reports_app/report.html",
        {
            "report": report,
            "events": events,
            "timeline": timeline.draw(report, events, weighed=weighed),
            "total_deducted": FULL_SCORE - report.integrity_score,
            "unweighed": [(name, n) for name, n in report.event_counts.items() if name not in weighed],
        },
    )
    return page.encode("utf-8", errors="replace")
