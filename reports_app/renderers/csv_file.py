"""The report as CSV: a block of field,value, a blank line, then one line per event."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from proctoring_site.csv_cells import instant, lines, safe, safe_json
from reports_app.builder import EventFact, Report
from sessions_app.scoring import Deduction

DETAILS = ("occurred_at", "duration_s", "confidence", "source", "clock_skew_ms", "marks", "data")


def render(report: Report, events: Sequence[EventFact]) -> bytes:
    facts = ((name, safe(value)) for name, value in summary(report))
    rows = ((instant(e.timestamp), safe(e.event_type), safe(e.message or ""), *_details(e)) for e in events)
    return lines([("field", "value"), *facts, (), ("timestamp", "event_type", "message", *DETAILS), *rows])


def _details(event: EventFact) -> Iterator[object]:
    yield instant(event.occurred_at)
    yield from (event.duration_s, event.confidence)  # None is written as nothing
    yield safe(event.source or "")
    yield event.clock_skew_ms
    yield " ".join(map(str, event.marks))
    yield safe_json(event.data_as_json)


def summary(report: Report) -> Iterator[tuple[str, str]]:
    yield "candidate_name", report.candidate_name
    yield "session_id", report.session_id
    yield "state", report.state
    yield "start_time", instant(report.start_time)
    yield "end_time", instant(report.end_time)
    for name in (
        "interview_duration_seconds",
        "focus_lost_count",
        "looking_away_count",
        "no_face_segments",
        "multiple_faces_count",
        "phone_detected_count",
        "notes_detected_count",
        "device_detected_count",
        "suspicious_events_count",
        "integrity_score",
        "risk_band",
        "reviewed_integrity_score",
        "reviewed_risk_band",
        "review_outcome",
    ):
        yield name, str(getattr(report, name))
    yield "policy_version", "" if report.policy_version is None else str(report.policy_version)
    yield "counted", report.counted
    yield "exempt_types", " ".join(report.exempt_types)
    if report.coverage is None:
        yield "coverage", "unknown"
    else:
        for name, share in asdict(report.coverage).items():
            if name != "detectors" and share is not None:
                yield f"coverage {name}", str(share)
        for name, share in report.coverage.detectors.items():
            yield safe(f"coverage detector {name}"), str(share)
    yield "too_late_events", str(report.too_late_events)
    yield "clock_skew_ms", "" if report.clock_skew_ms is None else str(report.clock_skew_ms)
    yield from _deductions("deduction", report.deductions)
    if report.was_corrected:
        yield from _deductions("reviewed deduction", report.reviewed_deductions)
    yield "notice", report.notice


def _deductions(called: str, deductions: Sequence[Deduction]) -> Iterator[tuple[str, str]]:
    for deduction in deductions:
        most = "" if deduction.cap is None else f", at most {deduction.cap}"
        yield f"{called} {deduction.event_type}", f"{deduction.points} ({deduction.count} × {deduction.weight}{most})"
