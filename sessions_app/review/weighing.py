"""What events and people's words about them come to: the incidents, and both scores with what they are made of. Pure.

Facts in, one value out: asks no database and no clock, so that the same facts always give the same numbers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from sessions_app.review.folding import LONG_AGO, Folded, Seen, fold, timeline_order
from sessions_app.review.states import UNJUDGED, IncidentState, Severity, severity_of
from sessions_app.scoring import EVENTS, Policy, Score, integrity_score


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was said of one incident, as it is stored. `event_ids` are the events that the person saw."""

    id: str
    event_type: str
    state: IncidentState
    severity: Severity
    by: str
    at: datetime
    start: datetime | None = None
    end: datetime | None = None
    event_ids: tuple[str, ...] = ()
    reason: str | None = None
    is_manual: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """What a person judges as one: folded from events, or judged before, or added by hand.

    `key` names it in services.judge: a judgement's id, else a digest of just its events. `by`, `at`, `reason`: of the
    last judgement, None where there is none. `weight`: the policy's points per count. `allowed_because`: why its type
    is exempt. `is_after_decision`: its events came after somebody had decided on others at the same moment.
    """

    key: str
    event_type: str
    start: datetime | None
    end: datetime | None
    count: int
    state: IncidentState
    severity: Severity
    weight: int
    event_ids: tuple[str, ...] = ()
    peak_confidence: float | None = None
    sources: tuple[str, ...] = ()
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None
    is_manual: bool = False
    is_after_decision: bool = False
    allowed_because: str | None = None

    @property
    def needs_a_look(self) -> bool:
        return self.state in UNJUDGED and self.weight > 0 and self.allowed_because is None


@dataclass(frozen=True, slots=True)
class Assessment:
    """`machine`: every event that is not exempt. `reviewed`: without what was dismissed, with what was added."""

    machine: Score
    reviewed: Score
    incidents: tuple[Incident, ...]

    @property
    def open_incidents(self) -> int:
        return sum(incident.needs_a_look for incident in self.incidents)

    @property
    def confirmed_incidents(self) -> int:
        return sum(incident.state == IncidentState.CONFIRMED for incident in self.incidents)


def assess(
    events: Sequence[Seen],
    *,
    policy: Policy,
    judgements: Iterable[Judgement] = (),
    allowed: Mapping[str, str] = MappingProxyType({}),
    covered: float | None = None,
) -> Assessment:
    """`allowed`: exempt event types and why. `covered`: the smallest share of the sitting that was watched."""
    events = sorted(events, key=timeline_order)
    incidents = _incidents(events, tuple(judgements), policy=policy, allowed=allowed)
    counted = [e for e in events if e.event_type not in allowed and policy.weights.get(e.event_type, 0) > 0]
    machine = _score(_Tally.of_events(counted, policy=policy), policy=policy, covered=covered)
    if all(incident.state == IncidentState.OPEN for incident in incidents):
        reviewed = machine
    else:
        reviewed = _score(_Tally.of_review(counted, incidents, policy=policy), policy=policy, covered=covered)
    return Assessment(machine=machine, reviewed=reviewed, incidents=incidents)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is stored of an assessment: the two scores, and how many incidents there are of which kind."""

    machine: Score
    reviewed: Score
    incident_count: int
    open_incidents: int
    confirmed_incidents: int


def summarize(
    events: Sequence[Seen],
    *,
    policy: Policy,
    judgements: Sequence[Judgement] = (),
    allowed: Mapping[str, str] = MappingProxyType({}),
    covered: float | None = None,
) -> Summary:
    """The same as `assess` says, at a third of its cost where nobody judged anything: for thousands of sessions."""
    if judgements:
        whole = assess(events, policy=policy, judgements=judgements, allowed=allowed, covered=covered)
        counts = len(whole.incidents), whole.open_incidents, whole.confirmed_incidents
        return Summary(whole.machine, whole.reviewed, *counts)
    weighing = {name for name, weight in policy.weights.items() if weight > 0 and name not in allowed}
    folded = fold(events, gap_s=policy.gap_s)
    counts: Counter[str] = Counter()
    for one in folded:
        if one.event_type in weighing:
            counts[one.event_type] += _times(one, policy)
    score = integrity_score(counts, policy=policy, covered=covered)
    return Summary(score, score, len(folded), sum(one.event_type in weighing for one in folded), 0)


@dataclass(slots=True)
class _Tally:
    """How often each type counts, and by which events."""

    counts: dict[str, int] = field(default_factory=dict)
    event_ids: dict[str, list[str]] = field(default_factory=dict)

    def add(self, event_type: str, event_ids: Iterable[str], times: int = 1) -> None:
        self.counts[event_type] = self.counts.get(event_type, 0) + times
        self.event_ids.setdefault(event_type, []).extend(event_ids)

    @classmethod
    def of_events(cls, counted: Sequence[Seen], *, policy: Policy, dismissed: Set[str] = frozenset()) -> "_Tally":
        """What is left of the machine's incidents counts once for each of them, however many people made of it: no word
        costs the candidate more than silence would."""
        tally = cls()
        if policy.counts == EVENTS:
            for event in counted:
                if event.id not in dismissed and not _is_short(event.duration_s, policy):
                    tally.add(event.event_type, (event.id,))
            return tally
        for folded in fold(counted, gap_s=policy.gap_s):
            left = Folded(folded.event_type, tuple(event for event in folded.events if event.id not in dismissed))
            if left.events and not any(_is_short(one.length_s, policy) for one in (folded, left)):
                tally.add(left.event_type, left.event_ids)
        return tally

    @classmethod
    def of_review(cls, counted: Sequence[Seen], incidents: Sequence[Incident], *, policy: Policy) -> "_Tally":
        """Without what was dismissed, with what was added."""
        dismissed = {pk for one in incidents if one.state == IncidentState.DISMISSED for pk in one.event_ids}
        tally = cls.of_events(counted, policy=policy, dismissed=dismissed)
        for one in incidents:
            is_out = one.state == IncidentState.DISMISSED or one.allowed_because is not None
            if one.is_manual and one.weight and not is_out:
                tally.add(one.event_type, ())
        return tally


def _incidents(
    events: Sequence[Seen], judgements: Sequence[Judgement], *, policy: Policy, allowed: Mapping[str, str]
) -> tuple[Incident, ...]:
    by_id = {event.id: event for event in events} if judgements else {}
    judged = []
    for judgement in judgements:
        seen = [by_id.pop(pk) for pk in judgement.event_ids if pk in by_id]
        judged.append((judgement, Folded(judgement.event_type, tuple(seen)) if seen else None))
    rest = fold(by_id.values() if judgements else events, gap_s=policy.gap_s)
    incidents = [_of_judgement(judgement, seen, policy=policy, allowed=allowed) for judgement, seen in judged]
    decided = [incident for incident in incidents if not incident.is_manual]
    incidents += [_of_machine(folded, decided, policy=policy, allowed=allowed) for folded in rest]
    return tuple(sorted(incidents, key=lambda one: (one.start or LONG_AGO, one.event_type, one.key)))


def _of_judgement(judgement: Judgement, seen: Folded | None, *, policy: Policy, allowed: Mapping[str, str]) -> Incident:
    weight = policy.weights.get(judgement.event_type, 0)
    count = 1 if judgement.is_manual else seen.count if seen else 0  # none: its events were deleted
    return Incident(
        key=judgement.id,
        event_type=judgement.event_type,
        start=judgement.start,
        end=judgement.end,
        count=count,
        state=judgement.state,
        severity=judgement.severity,
        weight=weight,
        event_ids=seen.event_ids if seen else (),
        peak_confidence=seen.peak_confidence if seen else None,
        sources=seen.sources if seen else (),
        by=judgement.by,
        at=judgement.at,
        reason=judgement.reason,
        is_manual=judgement.is_manual,
        allowed_because=allowed.get(judgement.event_type),
    )


def _of_machine(folded: Folded, decided: Sequence[Incident], *, policy: Policy, allowed: Mapping[str, str]) -> Incident:
    weight = policy.weights.get(folded.event_type, 0)
    return Incident(
        key=folded.key,
        event_type=folded.event_type,
        start=folded.start,
        end=folded.end,
        count=folded.count,
        state=IncidentState.OPEN,
        severity=severity_of(weight),
        weight=weight,
        event_ids=folded.event_ids,
        peak_confidence=folded.peak_confidence,
        sources=folded.sources,
        is_after_decision=any(_is_beside(folded, one, gap=timedelta(seconds=policy.gap_s)) for one in decided),
        allowed_because=allowed.get(folded.event_type),
    )


def _times(folded: Folded, policy: Policy) -> int:
    """How often it weighs: once, or once per event."""
    if policy.counts == EVENTS:
        if not policy.min_duration_s:
            return folded.count
        return sum(not _is_short(event.duration_s, policy) for event in folded.events)
    return 0 if _is_short(folded.length_s, policy) else 1


def _is_short(length_s: float | None, policy: Policy) -> bool:
    """Only what is known to be shorter: an event that says no duration may have lasted."""
    return length_s is not None and length_s < policy.min_duration_s


def _is_beside(folded: Folded, decided: Incident, *, gap: timedelta) -> bool:
    """Whether these events would have folded with those that somebody decided on, had they been there then."""
    if folded.event_type != decided.event_type:
        return False
    if folded.start is None or decided.start is None:
        return folded.start is decided.start
    return folded.start - decided.end <= gap and decided.start - folded.end <= gap


def _score(tally: _Tally, *, policy: Policy, covered: float | None) -> Score:
    event_ids = {event_type: tuple(ids) for event_type, ids in tally.event_ids.items()}
    return integrity_score(tally.counts, policy=policy, covered=covered, event_ids=event_ids)
