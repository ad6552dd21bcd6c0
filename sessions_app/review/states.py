"""How far people are with an incident and a session, which moves are allowed, and the queue's order. No queries."""

from collections.abc import Iterable, Mapping

from django.db.models import TextChoices

from sessions_app.scoring import BAND_NAMES


class IncidentState(TextChoices):
    """What people said of an incident. All but `dismissed` count in the reviewed score."""

    OPEN = "open"  # nobody said anything: only events, folded on read
    ACKNOWLEDGED = "acknowledged"  # seen, and left for the decision
    CONFIRMED = "confirmed"  # it happened
    DISMISSED = "dismissed"  # it did not, or means nothing; always with a reason
    REOPENED = "reopened"  # what was said before is taken back; the history has it


_JUDGED = frozenset({IncidentState.ACKNOWLEDGED, IncidentState.CONFIRMED, IncidentState.DISMISSED})
INCIDENT_MOVES: Mapping[IncidentState, frozenset[IncidentState]] = {
    IncidentState.OPEN: _JUDGED,
    IncidentState.REOPENED: _JUDGED,
    IncidentState.ACKNOWLEDGED: frozenset({IncidentState.CONFIRMED, IncidentState.DISMISSED, IncidentState.REOPENED}),
    IncidentState.CONFIRMED: frozenset({IncidentState.DISMISSED, IncidentState.REOPENED}),
    IncidentState.DISMISSED: frozenset({IncidentState.CONFIRMED, IncidentState.REOPENED}),
}
#: Nobody has said yet, or it was taken back: these a reviewer has still to look at.
UNJUDGED = frozenset({IncidentState.OPEN, IncidentState.REOPENED})


class Severity(TextChoices):
    """How grave an incident is to whoever reads it. Of a machine's, by the weight of its type; a person may differ. It
    orders and colours; the score goes by the weights alone."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


#: The lowest weight of each. A phone or a second person is high, a missing face medium, a glance low.
_SEVERITIES = ((10, Severity.HIGH), (3, Severity.MEDIUM), (1, Severity.LOW))


def severity_of(weight: int) -> Severity:
    return next((severity for lowest, severity in _SEVERITIES if weight >= lowest), Severity.NONE)


class Outcome(TextChoices):
    """The human decision on a session, apart from its state and its score. The words are Open edX's."""

    NOT_REVIEWED = "not_reviewed"
    PASSED = "passed"
    SUSPICIOUS = "suspicious"
    VIOLATION = "violation"
    SECOND_REVIEW_REQUIRED = "second_review_required"


DECIDED = frozenset({Outcome.PASSED, Outcome.SUSPICIOUS, Outcome.VIOLATION})
#: From each to each other one. A decision that is changed or taken back needs a reason, and its trail stays.
OUTCOME_MOVES: Mapping[Outcome, frozenset[Outcome]] = {
    before: frozenset(after for after in Outcome if after is not before) for before in Outcome
}


def outcome_of(stored: object) -> Outcome:
    """Sessions from before there were outcomes have none: nobody has reviewed them."""
    return Outcome(stored) if stored in Outcome.values else Outcome.NOT_REVIEWED


def needs_reason(before: Outcome, after: Outcome) -> bool:
    """Everything but the plain pass of a session that nobody had decided on."""
    return before in DECIDED or after is not Outcome.PASSED


# --- The queue: unreviewed first, then second reviews, then what is decided; in each the worst band first

_GROUPS = {Outcome.NOT_REVIEWED: 0, Outcome.SECOND_REVIEW_REQUIRED: 10, **dict.fromkeys(DECIDED, 20)}
#: `insufficient_data` before `low`: a person must look where the machine could not.
_BAND_RANKS = {"high": 0, "medium": 1, "insufficient_data": 2, "low": 3}
AWAITING_REVIEW_BELOW, SECOND_REVIEW_BELOW = 10, 20


def queue_rank(outcome: Outcome, band: str) -> int:
    """A closed session's place among the others; within one rank, the newest comes first."""
    return _GROUPS[outcome] + _BAND_RANKS[band]


def place_of(outcome: Outcome, band: str | None) -> dict[str, int]:
    """What a change of the outcome stores of the queue at once, by the band as it was scored last: a process that is
    killed before it scores anew leaves no decided session among the unreviewed."""
    return {"queue_rank": queue_rank(outcome, band)} if band in BAND_NAMES else {}


def ranks_of(bands: Iterable[str] = BAND_NAMES, outcomes: Iterable[Outcome] = Outcome) -> list[int]:
    """All ranks of sessions in these bands with these outcomes, for a filter that the queue's index answers."""
    return sorted({queue_rank(outcome, band) for outcome in outcomes for band in bands})
