"""What does the report contain? Facts in, one dataclass out. Pure: asks no database and writes no file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sessions_app.coverage import Coverage
from sessions_app.scoring import (
    FLAGS_ARE_NOT_FINDINGS,
    INSUFFICIENT_DATA,
    SUSPICIOUS_TYPES,
    Deduction,
    Policy,
    Score,
    integrity_score,
)

#: A clock that is off by less changes no reader's mind about what was first. Ours.
CLOCK_SKEW_SHOWN_MS = 5_000
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
    coverage: Coverage | None = None
    clock_skew_ms: int | None = None
    #: What people made of it; None where the counts alone tell the scores.
    machine: Score | None = None
    reviewed: Score | None = None
    review_outcome: str = "not_reviewed"
    exempt_types: tuple[str, ...] = ()
    #: Refused after the time for late events, as often as they were sent.
    too_late_events: int = 0
    too_late_last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFact:
    """`timestamp` is the client's, `occurred_at` the same by our clock; the rest is what the client told, if it did."""

    event_type: str
    message: str | None
    timestamp: datetime | None
    occurred_at: datetime | None = None
    duration_s: float | None = None
    confidence: float | None = None
    source: str | None = None
    clock_skew_ms: int | None = None
    marks: tuple[str, ...] = ()
    data: Any = None

    @property
    def data_as_json(self) -> str:
        """Empty where there is none. An adopted document may hold what JSON has no word for; that is told as text."""
        return "" if self.data is None else json.dumps(self.data, ensure_ascii=False, default=str)

    @property
    def at(self) -> datetime | None:
        """When it happened, as far as anybody knows."""
        return self.occurred_at or self.timestamp


@dataclass(frozen=True, slots=True)
class Report:
    """The earlier service's fields under their names, then ours. `integrity_score`: 0 to 100, high is good, as the
    machine saw it; `reviewed_integrity_score`: without what people dismissed, with what they added. Each has its own
    band, and deductions, which sum up to it and count what `counted` says: events, or incidents, which are events of
    one type no more than `gap_s` apart. What is known to be shorter than `min_duration_s` weighs nothing.

    `coverage` None: unknown. `clock_skew_ms`: the client's clock minus ours, where it is worth a word; else None.
    """

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
    coverage: Coverage | None
    clock_skew_ms: int | None
    reviewed_integrity_score: int
    reviewed_risk_band: str
    reviewed_deductions: tuple[Deduction, ...]
    review_outcome: str
    policy_version: int | None
    counted: str
    gap_s: float
    min_duration_s: float
    exempt_types: tuple[str, ...]
    too_late_events: int
    too_late_last_at: datetime | None

    @property
    def has_length(self) -> bool:
        """Whether anybody knows how long it was: an adopted session may lack its start, or end before it."""
        return self.start_time is not None and self.end_time is not None and self.start_time <= self.end_time

    @property
    def lacks_data(self) -> bool:
        """Whether one of both scores would be of low risk, had enough been watched."""
        return INSUFFICIENT_DATA in (self.risk_band, self.reviewed_risk_band)

    @property
    def was_corrected(self) -> bool:
        """Whether people took out or added any, so that both have other deductions."""
        return _points(self.deductions) != _points(self.reviewed_deductions)


def build_report(facts: SessionFacts, *, policy: Policy) -> Report:
    count = facts.counts.get
    covered = facts.coverage.weakest if facts.coverage else None
    score = facts.machine or integrity_score(facts.counts, policy=policy, covered=covered)
    reviewed = facts.reviewed or score
    skew_ms = facts.clock_skew_ms
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
        coverage=facts.coverage,
        clock_skew_ms=skew_ms if skew_ms is not None and abs(skew_ms) > CLOCK_SKEW_SHOWN_MS else None,
        reviewed_integrity_score=reviewed.integrity_score,
        reviewed_risk_band=reviewed.risk_band,
        reviewed_deductions=reviewed.deductions,
        review_outcome=facts.review_outcome,
        policy_version=policy.version,
        counted=policy.counts,
        gap_s=policy.gap_s,
        min_duration_s=policy.min_duration_s,
        exempt_types=facts.exempt_types,
        too_late_events=facts.too_late_events,
        too_late_last_at=facts.too_late_last_at,
    )


def _points(deductions: Sequence[Deduction]) -> set[tuple[str, int, int]]:
    return {(one.event_type, one.count, one.points) for one in deductions}


def in_order(events: Sequence[EventFact]) -> list[EventFact]:
    """By instant; events whose instant cannot be read come first. Stable, so that ties keep the database's order."""
    return sorted(events, key=lambda event: event.at or LONG_AGO)
