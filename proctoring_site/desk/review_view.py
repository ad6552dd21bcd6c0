"""What the page of a session shows of its review: rows, lines, words, from what the review knows. No queries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from proctoring_site.desk.sitting import SittingTime
from sessions_app import moments
from sessions_app.models import Session, now
from sessions_app.review import assignment
from sessions_app.review.folding import Seen, key_of
from sessions_app.review.models import Note
from sessions_app.review.reading import Review
from sessions_app.review.states import DECIDED, INCIDENT_MOVES, IncidentState, Outcome
from sessions_app.review.weighing import Incident
from sessions_app.scoring import FLAGS_ARE_NOT_FINDINGS, FULL_SCORE, INCIDENTS, Score

#: How many moments stand behind a deduction before the list of events has the rest.
MOMENTS_MAX = 40
#: What a reviewer does to get an incident into a state.
VERBS: Mapping[IncidentState, str] = {
    IncidentState.ACKNOWLEDGED: "acknowledge",
    IncidentState.CONFIRMED: "confirm",
    IncidentState.DISMISSED: "dismiss",
    IncidentState.REOPENED: "reopen",
}
AFTER_THE_DECISION = "arrived after the decision"


@dataclass(frozen=True, slots=True)
class Row:
    """One incident of the list. `moves`: what may be done to it; `said`: by whom it was judged, and when."""

    key: str
    type: str
    title: str
    at: float
    until: float
    when: str
    count: int
    confidence: float | None
    severity: str
    state: str
    state_said: str
    is_settled: bool
    moves: tuple[str, ...]
    labels: tuple[str, ...]
    said: str
    reason: str

    @property
    def mark(self) -> str:
        """How it is drawn: what was dismissed stays to be seen, faintly."""
        return "dismissed" if self.state == IncidentState.DISMISSED else self.severity


def row_of(incident: Incident, time: SittingTime) -> Row:
    at, until = time.seconds(incident.start), time.seconds(incident.end or incident.start)
    labels = tuple(_labels(incident))
    state = str(incident.state)
    return Row(
        key=incident.key,
        type=incident.event_type,
        title=incident.event_type or "(no type)",
        at=at,
        until=until,
        when="unknown" if incident.start is None else moments.stretch(at, until),
        count=0 if incident.is_manual else incident.count,
        confidence=incident.peak_confidence,
        severity=str(incident.severity),
        state=state,
        state_said=", ".join((state, *labels)),
        is_settled=not incident.needs_a_look,
        moves=(*(VERBS[to] for to in IncidentState if to in INCIDENT_MOVES[incident.state]), "severity"),
        labels=labels,
        said=f"{incident.by}, {incident.at:%Y-%m-%d %H:%M} UTC" if incident.by and incident.at else "",
        reason=incident.reason or "",
    )


def key_now(review: Review, key: str | None) -> str | None:
    """An incident that somebody judged since has another key than the page that was looked at says."""
    if not key:
        return None
    judged = (one for one in review.incidents if one.state != IncidentState.OPEN and one.event_ids)
    return next((one.key for one in judged if key_of(one.event_type, one.event_ids) == key), key)


def _labels(incident: Incident) -> Iterator[str]:
    if incident.is_after_decision:
        yield AFTER_THE_DECISION
    if incident.is_manual:
        yield "added by hand"
    if incident.allowed_because is not None:
        yield "allowed"
    if not incident.weight:
        yield "costs no points"


@dataclass(frozen=True, slots=True)
class Moment:
    at: float
    when: str


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """What one type takes off: for the machine, and as reviewed. `more`: moments that are not among `moments`."""

    type: str
    count: int
    #: The same as reviewed: without what was dismissed, with what was added.
    reviewed_count: int
    weight: int
    cap: int | None
    machine: int
    reviewed: int
    moments: tuple[Moment, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class ScoreView:
    machine: int
    reviewed: int
    band: str
    lines: tuple[ScoreLine, ...]
    counted: str
    policy: int
    #: Since when it is so, in words.
    scored: str
    full: int = FULL_SCORE
    notice: str = FLAGS_ARE_NOT_FINDINGS

    @property
    def differs(self) -> bool:
        """Whether people took out or added any."""
        return any(line.count != line.reviewed_count for line in self.lines)

    @property
    def band_label(self) -> str:
        return "insufficient data" if self.band == "insufficient_data" else f"{self.band} risk"


def _score_view(review: Review, events: Sequence[Seen], time: SittingTime, scored: str) -> ScoreView:
    at = {event.id: time.seconds(event.at) for event in events}
    return ScoreView(
        machine=review.machine.integrity_score,
        reviewed=review.reviewed.integrity_score,
        band=review.reviewed.risk_band,
        lines=tuple(_lines(review.machine, review.reviewed, at)),
        counted="Incidents" if review.policy.counts == INCIDENTS else "Events",
        policy=review.policy.version or 1,
        scored=scored,
    )


def _lines(machine: Score, reviewed: Score, at: Mapping[str, float]) -> Iterator[ScoreLine]:
    before = {one.event_type: one for one in machine.deductions}
    after = {one.event_type: one for one in reviewed.deductions}
    for event_type in dict.fromkeys((*before, *after)):
        seen = before.get(event_type) or after[event_type]
        of_type = [at[pk] for pk in seen.event_ids if pk in at]
        yield ScoreLine(
            type=event_type,
            count=before[event_type].count if event_type in before else 0,
            reviewed_count=after[event_type].count if event_type in after else 0,
            weight=seen.weight,
            cap=seen.cap,
            machine=before[event_type].points if event_type in before else 0,
            reviewed=after[event_type].points if event_type in after else 0,
            moments=tuple(Moment(second, moments.said(second)) for second in of_type[:MOMENTS_MAX]),
            more=max(0, len(of_type) - MOMENTS_MAX),
        )


@dataclass(frozen=True, slots=True)
class NoteView:
    text: str
    by: str
    at: datetime
    when: str = ""
    begins: float = 0.0


def _note_view(note: Note, time: SittingTime) -> NoteView:
    if note.start is None:
        return NoteView(note.text, note.by, note.at)
    begins = time.seconds(note.start)
    return NoteView(note.text, note.by, note.at, moments.stretch(begins, time.seconds(note.end or note.start)), begins)


@dataclass(frozen=True, slots=True)
class ReviewView:
    outcome: Outcome
    outcome_said: str
    #: What stands in the way of the next decision, or is asked of the reader; empty: nothing.
    hint: str
    score: ScoreView
    unjudged: int
    notes: tuple[NoteView, ...]
    assigned: str
    is_mine: bool
    is_overdue: bool


def of(
    session: Session,
    review: Review,
    *,
    time: SittingTime,
    notes: Sequence[Note],
    reader: AbstractBaseUser,
) -> ReviewView:
    to = session.assigned_to or ""
    return ReviewView(
        outcome=review.outcome,
        outcome_said=review.outcome.value.replace("_", " "),
        hint=_hint(session, review, reader),
        score=_score_view(review, review.events, time, _scored(session)),
        unjudged=sum(incident.needs_a_look for incident in review.incidents),
        notes=tuple(_note_view(note, time) for note in notes),
        assigned=to.replace(assignment.GROUP_PREFIX, "the group ", 1),
        is_mine=to == reader.get_username(),
        is_overdue=bool(session.due_at) and session.due_at < now() and review.outcome not in DECIDED,
    )


def _scored(session: Session) -> str:
    if session.end_time is None:
        return "live, while the session is open"
    return f"scored {session.scored_at:%Y-%m-%d %H:%M} UTC" if session.scored_at else "as of now"


def _hint(session: Session, review: Review, reader: AbstractBaseUser) -> str:
    if session.end_time is None:
        return "The session is still open; it can be decided on once it is closed."
    if review.outcome is Outcome.SECOND_REVIEW_REQUIRED:
        if session.outcome_by_id == str(reader.pk):
            return "You were the first reviewer: somebody else must confirm the violation, or decide otherwise."
        return f"{session.outcome_by} was the first reviewer. Judge for yourself: yours is the second review."
    return ""
