"""A session's review as its page shows it: folded and scored now, from what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from sessions_app.review import changes, scores
from sessions_app.review.errors import IncidentNotFound
from sessions_app.review.facts import Facts, facts_of
from sessions_app.review.folding import Seen
from sessions_app.review.models import EntryAction, ReviewEntry
from sessions_app.review.states import Outcome
from sessions_app.review.weighing import Incident
from sessions_app.scoring import Policy, Score


@dataclass(frozen=True, slots=True)
class Review:
    """All that a session's page shows of its review, as of one moment. `policy` has its version."""

    #: To be named by whoever changes anything: `seen`, and for incidents `seen_until`.
    revision: int
    seen_until: datetime | None
    policy: Policy
    machine: Score
    reviewed: Score
    incidents: tuple[Incident, ...]
    outcome: Outcome
    #: Exempt event types and why.
    allowed: dict[str, str]
    #: All that were read for it, in no order.
    events: tuple[Seen, ...] = ()

    def incident(self, key: str) -> Incident:
        """Raises IncidentNotFound."""
        found = next((one for one in self.incidents if one.key == key), None)
        if found is None:
            raise IncidentNotFound
        return found


def review_of(
    session: Session, *, seen_until: datetime | None = None, without_allowances_of: str | None = None
) -> Review:
    """The review as it is now; with `seen_until` without the events that were received later. Five trips at most,
    unless a crash left something to be completed. Raises SessionNotFound.

    `without_allowances_of`: as it would be without what the account with this id allowed; one trip more, if somebody
    allowed anything.
    """
    facts = _facts(session)
    if changes.is_behind(session.pk, facts.revision):
        changes.catch_up(session)
        facts = _facts(session)
    if facts.allowed and without_allowances_of is not None:
        facts.allowed = _allowed_by_others(session, facts.allowed, without_allowances_of)
    if facts.is_stale:
        scores.score_closed([session.pk])
    if seen_until is not None:
        facts.events = [e for e in facts.events if e.received_at is None or e.received_at <= seen_until]
    policy = scores.policy_of_facts(facts)
    assessment = scores.assess_facts(facts, policy=policy)
    return Review(
        revision=facts.revision,
        seen_until=max((event.received_at for event in facts.events if event.received_at), default=None),
        policy=policy,
        machine=assessment.machine,
        reviewed=assessment.reviewed,
        incidents=assessment.incidents,
        outcome=facts.outcome,
        allowed=facts.allowed,
        events=tuple(facts.events),
    )


def _facts(session: Session) -> Facts:
    """Raises SessionNotFound."""
    facts = facts_of([session.pk], shown=True).get(session.pk)
    if facts is None:
        raise SessionNotFound
    return facts


def _allowed_by_others(session: Session, allowed: Mapping[str, str], account_id: str) -> dict[str, str]:
    """By the history: it knows accounts, where an allowance has but a name. Who allowed a type last, allowed it."""
    entries = ReviewEntry.objects.since(session.pk, 0).filter(action=EntryAction.ALLOWED)
    by = {entry.about["event_type"]: entry.actor_id for entry in entries}
    return {event_type: why for event_type, why in allowed.items() if by.get(event_type) != account_id}
