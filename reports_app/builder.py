"""What does the report contain? Facts in, one dataclass out. Pure: asks no database and writes no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sessions_app.scoring import FLAGS_ARE_NOT_FINDINGS, SUSPICIOUS_TYPES, Deduction, Policy, integrity_score

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of a sitting. `counts` are events per type; `duration_s` is 0 while it runs."""

    session_id: str
    candidate_name: str
    state: str
    start_time: datetime | None
    end_time: datetime | None
    duration_s: int
    video_name: str | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EventFact:
    event_type: str
    message: str | None
    timestamp: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """The earlier service's fields under their names, then ours. `integrity_score`: 0 to 100, high is good."""

    candidate_name: str
    session_id: str
    interview_duration_seconds: int
    focus_lost_count: int
    looking_away_count: int
    no_face_segments: int
    multiple_faces_count: int
    phone_detected_count: int
    notes_detected_count: int
    device_detected_count: int
    suspicious_events_count: int
    integrity_score: int
    risk_band: str
    deductions: tuple[Deduction, ...]
    notice: str
    state: str
    start_time: datetime | None
    end_time: datetime | None
    video_name: str | None
    event_counts: Mapping[str, int]


def build_report(facts: SessionFacts, *, policy: Policy) -> Report:
    count = facts.counts.get
    score = integrity_score(facts.counts, policy=policy)
    return Report(
        candidate_name=facts.candidate_name,
        session_id=facts.session_id,
        interview_duration_seconds=facts.duration_s,
        focus_lost_count=count("focus_lost", 0),
        looking_away_count=count("looking_away", 0),
        no_face_segments=count("no_face", 0),
        multiple_faces_count=count("multiple_faces", 0),
        phone_detected_count=count("phone_detected", 0),
        notes_detected_count=count("notes_detected", 0),
        device_detected_count=count("device_detected", 0),
        suspicious_events_count=sum(count(name, 0) for name in SUSPICIOUS_TYPES),
        integrity_score=score.integrity_score,
        risk_band=score.risk_band,
        deductions=score.deductions,
        notice=FLAGS_ARE_NOT_FINDINGS,
        state=facts.state,
        start_time=facts.start_time,
        end_time=facts.end_time,
        video_name=facts.video_name,
        event_counts=dict(sorted(facts.counts.items())),
    )


def in_order(events: Sequence[EventFact]) -> list[EventFact]:
    """By instant; events whose instant cannot be read come first. Stable, so that ties keep the database's order."""
    return sorted(events, key=lambda event: event.timestamp or LONG_AGO)
