"""What a reviewer does to a session. Who may, the caller asks (Right.DECIDE); `by` is their account.

Every change names the review revision that the person saw (`Review.revision`), and raises ReviewChanged with what
others did since when it is another by now. Each is in the history, counts in the score at once, and undoes nothing that
was said before. Texts come checked: models.py says how long they may be.
"""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from sessions_app.models import Session, now, to_milliseconds
from sessions_app.review import changes, scores, second_review
from sessions_app.review.changes import Change
from sessions_app.review.errors import (
    IllegalJudgement,
    IllegalOutcome,
    NothingConfirmed,
    ReasonNeeded,
    SecondReviewerNeeded,
    SessionStillOpen,
    ViolationStands,
)
from sessions_app.review.models import Allowance, EntryAction, JudgedIncident, Note, ReviewEntry
from sessions_app.review.reading import review_of
from sessions_app.review.states import (
    INCIDENT_MOVES,
    OUTCOME_MOVES,
    IncidentState,
    Outcome,
    Severity,
    needs_reason,
    place_of,
)
from sessions_app.review.weighing import Incident

_ACTIONS = {
    IncidentState.ACKNOWLEDGED: EntryAction.ACKNOWLEDGED,
    IncidentState.CONFIRMED: EntryAction.CONFIRMED,
    IncidentState.DISMISSED: EntryAction.DISMISSED,
    IncidentState.REOPENED: EntryAction.REOPENED,
}


def history_of(session: Session) -> list[ReviewEntry]:
    """Everything that was done, oldest first; `str(entry)` tells it in a sentence."""
    return list(ReviewEntry.objects.of(session.pk).defer("document", "fields"))


def notes_of(session: Session) -> list[Note]:
    return list(Note.objects.of(session.pk))


def allowances_of(session: Session) -> list[Allowance]:
    return list(Allowance.objects.in_force_for([session.pk]))


def judge(
    session: Session,
    key: str,
    to: IncidentState,
    *,
    by: AbstractBaseUser,
    seen: int,
    seen_until: datetime | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> Session:
    """Acknowledge, confirm, dismiss (with a reason) or reopen the incident with this `Incident.key`.

    `seen_until`: of the review that the person saw. Just the events that the key names are judged; events that came
    later stay open beside them. Raises ReviewChanged, IncidentNotFound, IllegalJudgement, ReasonNeeded and
    ViolationStands.
    """
    reason = _clean(reason)
    if to == IncidentState.DISMISSED and not reason:
        raise ReasonNeeded("Give a reason for dismissing the incident.")
    changes.require_seen(session, seen)
    review = review_of(session, seen_until=seen_until)
    incident = review.incident(key)
    if to not in INCIDENT_MOVES[incident.state]:
        raise IllegalJudgement(incident.state, to)
    confirmed = [one for one in review.incidents if one.state == IncidentState.CONFIRMED and one.key != key]
    if review.outcome is Outcome.VIOLATION and to != IncidentState.CONFIRMED and not confirmed:
        raise ViolationStands
    row = _row(session, incident, state=to, reason=reason, by=by, at=at)
    change = Change(
        action=_ACTIONS[to],
        about=_about(incident, row),
        before={"state": incident.state.value},
        after={"state": to.value},
        reason=reason,
        row=row,
    )
    return _carry_out(session, change, by=by, seen=seen, at=at)


def set_severity(
    session: Session,
    key: str,
    severity: Severity,
    *,
    by: AbstractBaseUser,
    seen: int,
    seen_until: datetime | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> Session:
    """Say how grave an incident is, apart from what it weighs. One that was open is acknowledged by it; of any other,
    name, time and reason stay those of who judged it, and this reason is in the history. Raises ReviewChanged and
    IncidentNotFound."""
    changes.require_seen(session, seen)
    incident = review_of(session, seen_until=seen_until).incident(key)
    state = IncidentState.ACKNOWLEDGED if incident.state == IncidentState.OPEN else incident.state
    row = _row(session, incident, state=state, reason=_clean(reason), by=by, at=at)
    if incident.state != IncidentState.OPEN:
        row.by, row.at, row.reason = incident.by, incident.at, incident.reason
    row.severity = severity
    change = Change(
        action=EntryAction.SEVERITY,
        about=_about(incident, row),
        before={"severity": incident.severity.value},
        after={"severity": severity.value},
        reason=_clean(reason),
        row=row,
    )
    return _carry_out(session, change, by=by, seen=seen, at=at)


def add_incident(
    session: Session,
    *,
    event_type: str,
    start: datetime,
    by: AbstractBaseUser,
    seen: int,
    end: datetime | None = None,
    severity: Severity = Severity.MEDIUM,
    reason: str | None = None,
    at: datetime | None = None,
) -> Session:
    """An incident that no machine saw, at a moment of the video: confirmed, and weighing as one of its type. Raises
    ReasonNeeded, since nothing else tells what it was, and ReviewChanged."""
    reason = _clean(reason)
    if not reason:
        raise ReasonNeeded("Say what you noticed.")
    changes.require_seen(session, seen)
    row = JudgedIncident(
        session_id=session.pk,
        event_type=event_type.strip(),
        start=to_milliseconds(start),
        end=to_milliseconds(end or start),
        state=IncidentState.CONFIRMED.value,
        severity=Severity(severity).value,
        reason=reason,
        by=by.get_username(),
        at=to_milliseconds(at or now()),
        is_manual=True,
    )
    about = {"event_type": row.event_type, "start": row.start, "end": row.end, "count": 1, "incident": row.pk}
    change = Change(EntryAction.ADDED, about, after={"state": row.state}, reason=reason, row=row)
    return _carry_out(session, change, by=by, seen=seen, at=at)


def add_note(
    session: Session,
    *,
    text: str,
    by: AbstractBaseUser,
    seen: int,
    start: datetime | None = None,
    end: datetime | None = None,
    at: datetime | None = None,
) -> Session:
    """A note of the whole session, or of a stretch of it. Raises ReasonNeeded for an empty one, and ReviewChanged."""
    text = (text or "").strip()
    if not text:
        raise ReasonNeeded("The note is empty.")
    changes.require_seen(session, seen)
    row = Note(session_id=session.pk, text=text, by=by.get_username(), at=to_milliseconds(at or now()))
    row.start, row.end = start and to_milliseconds(start), (end or start) and to_milliseconds(end or start)
    change = Change(EntryAction.NOTED, {"note": row.pk, "start": row.start, "end": row.end}, row=row)
    return _carry_out(session, change, by=by, seen=seen, at=at)


def allow(
    session: Session, event_type: str, *, reason: str, by: AbstractBaseUser, seen: int, at: datetime | None = None
) -> Session:
    """Exempt a type: its events stay on the timeline, out of both scores. Raises ReasonNeeded, ReviewChanged."""
    return _set_allowance(session, event_type, reason=reason, by=by, seen=seen, at=at, is_revoked=False)


def revoke_allowance(
    session: Session, event_type: str, *, reason: str, by: AbstractBaseUser, seen: int, at: datetime | None = None
) -> Session:
    """Raises ReasonNeeded, ReviewChanged."""
    return _set_allowance(session, event_type, reason=reason, by=by, seen=seen, at=at, is_revoked=True)


def decide(
    session: Session,
    outcome: Outcome,
    *,
    by: AbstractBaseUser,
    seen: int,
    reason: str | None = None,
    at: datetime | None = None,
) -> Session:
    """Decide on a closed session, or take a decision back (`not_reviewed`).

    A violation with more points off than the policy's `second_review_above`, as the machine saw it or as reviewed, and
    in both without what this person allowed, becomes `second_review_required` first, and a violation when somebody
    else says so, too: look at `session.outcome`. So does one that a later change of somebody brings above. Raises
    ReviewChanged, IllegalOutcome, ReasonNeeded, SessionStillOpen, NothingConfirmed and SecondReviewerNeeded.
    """
    reason = _clean(reason)
    changes.require_seen(session, seen)
    before = session.outcome
    if session.end_time is None:
        raise SessionStillOpen
    if outcome not in OUTCOME_MOVES[before]:
        raise IllegalOutcome(before, outcome)
    if needs_reason(before, outcome) and not reason:
        raise ReasonNeeded("Say why.")
    if outcome is Outcome.VIOLATION:
        outcome = _violation(session, by=by)
    at = to_milliseconds(at or now())
    change = Change(
        action=EntryAction.OUTCOME,
        about={},
        before={"outcome": before.value},
        after={"outcome": outcome.value},
        reason=reason,
        fields={
            "review_outcome": outcome.value,
            "outcome_by": by.get_username(),
            "outcome_by_id": str(by.pk),
            "reviewed_at": None if outcome is Outcome.NOT_REVIEWED else at,
            **place_of(outcome, session.reviewed_band),
        },
    )
    return _carry_out(session, change, by=by, seen=seen, at=at)


def _violation(session: Session, *, by: AbstractBaseUser) -> Outcome:
    """A violation, or that somebody else must look first."""
    review = review_of(session, without_allowances_of=str(by.pk))
    if not any(incident.state == IncidentState.CONFIRMED for incident in review.incidents):
        raise NothingConfirmed
    if session.outcome is Outcome.SECOND_REVIEW_REQUIRED:
        if session.outcome_by_id == str(by.pk):
            raise SecondReviewerNeeded
        return Outcome.VIOLATION
    return Outcome.SECOND_REVIEW_REQUIRED if second_review.is_needed(review) else Outcome.VIOLATION


def _set_allowance(
    session: Session,
    event_type: str,
    *,
    reason: str,
    by: AbstractBaseUser,
    seen: int,
    at: datetime | None,
    is_revoked: bool,
) -> Session:
    reason = _clean(reason)
    if not reason:
        raise ReasonNeeded
    changes.require_seen(session, seen)
    row = Allowance(
        id=f"{session.pk}/{event_type}",
        session_id=session.pk,
        event_type=event_type,
        reason=reason,
        by=by.get_username(),
        at=to_milliseconds(at or now()),
        is_revoked=is_revoked,
    )
    action = EntryAction.REVOKED if is_revoked else EntryAction.ALLOWED
    change = Change(action, {"event_type": event_type}, reason=reason, row=row)
    return _carry_out(session, change, by=by, seen=seen, at=at)


def _carry_out(session: Session, change: Change, *, by: AbstractBaseUser, seen: int, at: datetime | None) -> Session:
    may_lift = session.outcome is Outcome.VIOLATION and change.action not in {*changes.IN_NO_SCORE, EntryAction.OUTCOME}
    if may_lift:
        second_review.look_soon(session, seen + 1)
    changes.make(session, change, by=by, seen=seen, at=at)
    scores.score_closed([session.pk])
    session.refresh()
    if may_lift:
        second_review.require(session, by=by, at=at)
    return session


def _row(
    session: Session,
    incident: Incident,
    *,
    state: IncidentState,
    reason: str | None,
    by: AbstractBaseUser,
    at: datetime | None,
) -> JudgedIncident:
    row = JudgedIncident(
        session_id=session.pk,
        event_type=incident.event_type,
        start=incident.start,
        end=incident.end,
        event_ids=list(incident.event_ids),
        count=incident.count,
        peak_confidence=incident.peak_confidence,
        sources=list(incident.sources),
        state=state.value,
        severity=incident.severity.value,
        reason=reason,
        by=by.get_username(),
        at=to_milliseconds(at or now()),
        is_manual=incident.is_manual,
    )
    if incident.state != IncidentState.OPEN:
        row.pk = incident.key
    return row


def _about(incident: Incident, row: JudgedIncident) -> dict:
    told = {"event_type": incident.event_type, "start": incident.start, "end": incident.end}
    return {**told, "count": incident.count, "incident": row.pk}


def _clean(reason: str | None) -> str | None:
    return (reason or "").strip() or None
