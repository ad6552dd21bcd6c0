"""Facts in, both scores and the incidents out. Pure: no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.review.folding import Seen, fold
from sessions_app.review.states import IncidentState, Severity
from sessions_app.review.weighing import Judgement, assess, summarize
from sessions_app.scoring import EVENTS, INCIDENTS, Policy
from tests.unhurried import UNHURRIED

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAIN = Policy.with_overrides({})
BY_INCIDENT = replace(PLAIN, counts=INCIDENTS)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def phones(*instants, **fields):
    return [Seen(f"p{second}", "phone_detected", at(second), **fields) for second in instants]


def judged(incident, state, **fields):
    told = {
        "id": incident.key,
        "event_type": incident.event_type,
        "state": state,
        "severity": Severity.HIGH,
        "by": "ada",
        "at": at(10_000),
        "start": incident.start,
        "end": incident.end,
        "event_ids": incident.event_ids,
    }
    return Judgement(**{**told, **fields})


def added(event_type="phone_detected", state=IncidentState.CONFIRMED):
    return Judgement("m", event_type, state, Severity.HIGH, "ada", at(900), at(800), at(810), is_manual=True)


def scores(assessment):
    return assessment.machine.integrity_score, assessment.reviewed.integrity_score


class TestTheTwoNumbers:
    def test_are_one_as_long_as_nobody_said_anything(self):
        assessment = assess(phones(0, 1, 100), policy=PLAIN)
        assert scores(assessment) == (55, 55)
        assert [i.count for i in assessment.incidents] == [2, 1]
        assert assessment.open_incidents == 2

    def test_a_dismissed_incident_stays_and_counts_in_the_machines_number_only(self):
        events = phones(0, 1, 100)
        first = assess(events, policy=PLAIN).incidents[0]
        assessment = assess(events, policy=PLAIN, judgements=[judged(first, IncidentState.DISMISSED, reason="a book")])
        assert scores(assessment) == (55, 85)
        kept = assessment.incidents[0]
        assert (kept.state, kept.reason, kept.by, kept.count) == ("dismissed", "a book", "ada", 2)
        assert assessment.open_incidents == 1

    @pytest.mark.parametrize("state", [IncidentState.ACKNOWLEDGED, IncidentState.CONFIRMED, IncidentState.REOPENED])
    def test_every_other_word_leaves_it_counting(self, state):
        events = phones(0, 1)
        (first,) = assess(events, policy=PLAIN).incidents
        assert scores(assess(events, policy=PLAIN, judgements=[judged(first, state)])) == (70, 70)

    def test_one_that_was_added_counts_as_reviewed_only_and_has_no_events_behind_it(self):
        assessment = assess(phones(0), policy=PLAIN, judgements=[added()])
        assert scores(assessment) == (85, 70)
        (deduction,) = assessment.reviewed.deductions
        assert (deduction.count, deduction.points, deduction.event_ids) == (2, 30, ("p0",))

    def test_one_that_was_added_and_dismissed_again_counts_nowhere(self):
        assessment = assess([], policy=PLAIN, judgements=[added(state=IncidentState.DISMISSED)])
        assert scores(assessment) == (100, 100)

    def test_an_exempt_type_is_in_neither_and_stays_on_the_timeline(self):
        events = [*phones(0), Seen("g", "looking_away", at(5))]
        assessment = assess(events, policy=PLAIN, allowed={"phone_detected": "a diabetic's pump"})
        assert scores(assessment) == (99, 99)
        assert [i.allowed_because for i in assessment.incidents] == ["a diabetic's pump", None]
        assert assessment.open_incidents == 1


class TestLateEvents:
    def test_a_hundred_of_them_undo_no_decision_and_stand_beside_it(self):
        events = phones(0, 5, 10)
        (first,) = assess(events, policy=PLAIN).incidents
        dismissed = judged(first, IncidentState.DISMISSED, reason="a calculator")
        late = [Seen(f"late{n}", "phone_detected", at(1 + n / 20)) for n in range(100)]
        capped = replace(PLAIN, caps={"phone_detected": 40})
        assessment = assess([*late, *events], policy=capped, judgements=[dismissed])
        decided = next(i for i in assessment.incidents if i.state == IncidentState.DISMISSED)
        beside = next(i for i in assessment.incidents if i.state == IncidentState.OPEN)
        assert (decided.count, decided.event_ids, len(assessment.incidents)) == (3, first.event_ids, 2)
        assert (beside.count, beside.is_after_decision, beside.needs_a_look) == (100, True, True)
        assert scores(assessment) == (60, 60)

    def test_far_from_a_decision_they_are_an_incident_like_others(self):
        events = phones(0)
        (first,) = assess(events, policy=PLAIN).incidents
        judgements = [judged(first, IncidentState.CONFIRMED)]
        assessment = assess([*events, *phones(1000)], policy=PLAIN, judgements=judgements)
        assert [i.is_after_decision for i in assessment.incidents] == [False, False]

    def test_events_that_were_deleted_leave_the_judgement_and_weigh_nothing(self):
        (first,) = assess(phones(0), policy=PLAIN).incidents
        assessment = assess([], policy=PLAIN, judgements=[judged(first, IncidentState.CONFIRMED)])
        assert (scores(assessment), assessment.incidents[0].count) == ((100, 100), 0)


class TestWhatThePolicyCounts:
    def test_incidents_instead_of_events(self):
        assessment = assess(phones(0, 1, 2, 100), policy=BY_INCIDENT)
        assert scores(assessment) == (70, 70)
        (deduction,) = assessment.machine.deductions
        assert (deduction.count, len(deduction.event_ids)) == (2, 4)

    def test_a_dismissed_incident_of_several_events_takes_one(self):
        events = phones(0, 1, 2, 100)
        first = assess(events, policy=BY_INCIDENT).incidents[0]
        assessment = assess(events, policy=BY_INCIDENT, judgements=[judged(first, IncidentState.DISMISSED)])
        assert scores(assessment) == (70, 85)

    def test_what_was_said_of_a_part_makes_no_two_of_one(self):
        """Events that came later lie around those that somebody judged."""
        (middle,) = assess(phones(25), policy=BY_INCIDENT).incidents
        events = phones(0, 25, 50)
        for state in (state for state in IncidentState if state != IncidentState.OPEN):
            assert scores(assess(events, policy=BY_INCIDENT, judgements=[judged(middle, state)])) == (85, 85), state
        (all_of_it,) = assess(events, policy=BY_INCIDENT).incidents
        dismissed = judged(all_of_it, IncidentState.DISMISSED)
        assert scores(assess([*events, *phones(75)], policy=BY_INCIDENT, judgements=[dismissed])) == (85, 85)
        assert scores(assess([*events, *phones(90)], policy=BY_INCIDENT, judgements=[dismissed])) == (70, 85)

    @pytest.mark.parametrize(("policy", "score"), [(PLAIN, 70), (BY_INCIDENT, 85)])
    def test_only_what_is_known_to_be_short_weighs_nothing(self, policy, score):
        policy = replace(policy, min_duration_s=2)
        events = [*phones(0, duration_s=1.9), *phones(100, duration_s=2), *phones(110)]
        assert scores(assess(events, policy=policy)) == (score, score)

    def test_a_cap_is_the_most_that_a_type_takes(self):
        policy = replace(PLAIN, caps={"phone_detected": 20})
        (deduction,) = assess(phones(0, 1, 2), policy=policy).machine.deductions
        assert (deduction.count, deduction.weight, deduction.cap, deduction.points) == (3, 15, 20, 20)

    def test_the_bands_and_the_coverage_are_the_policys(self):
        policy = replace(PLAIN, bands=(("low", 95), ("medium", 90), ("high", 0)), coverage_min=0.5)
        assert assess(phones(0), policy=policy).machine.risk_band == "high"
        assert assess([], policy=policy, covered=0.49).machine.risk_band == "insufficient_data"
        assert assess([], policy=policy, covered=0.5).machine.risk_band == "low"


TYPES = ("phone_detected", "looking_away", "no_face", "tab_hidden")
policies = st.builds(
    Policy,
    weights=st.dictionaries(st.sampled_from(TYPES), st.integers(0, 40)),
    caps=st.dictionaries(st.sampled_from(TYPES), st.integers(0, 60)),
    gap_s=st.floats(0, 60),
    min_duration_s=st.floats(0, 3),
    counts=st.sampled_from([EVENTS, INCIDENTS]),
)
timelines = st.lists(
    st.builds(
        Seen,
        id=st.integers(0, 10**9).map(str),
        event_type=st.sampled_from(TYPES),
        at=st.none() | st.integers(0, 600).map(at),
        duration_s=st.none() | st.floats(0, 5),
    ),
    unique_by=lambda event: event.id,
    max_size=40,
)


@settings(UNHURRIED, max_examples=100)
@given(events=timelines, late=timelines, policy=policies, data=st.data())
def test_the_sums_are_exact_every_event_is_in_one_incident_and_judged_ones_keep_theirs(events, late, policy, data):
    folded = fold(events, gap_s=policy.gap_s)
    chosen = data.draw(st.lists(st.sampled_from(folded), unique_by=lambda i: i.key, max_size=4)) if folded else []
    states = st.sampled_from([s for s in IncidentState if s != IncidentState.OPEN])
    judgements = [judged(incident, data.draw(states)) for incident in chosen]
    known = {event.id for event in events}
    everything = [*events, *(event for event in late if event.id not in known)]
    assessment = assess(everything, policy=policy, judgements=judgements)
    for score in (assessment.machine, assessment.reviewed):
        assert sum(d.points for d in score.deductions) == 100 - score.integrity_score
        assert all(0 <= d.points <= d.count * d.weight for d in score.deductions)
        assert all(d.cap is None or d.points <= d.cap for d in score.deductions)
    if policy.counts == EVENTS:
        assert all(d.count == len(d.event_ids) for d in assessment.machine.deductions)
    assert assessment.reviewed.integrity_score >= assessment.machine.integrity_score
    ids = [pk for incident in assessment.incidents for pk in incident.event_ids]
    assert sorted(ids) == sorted(event.id for event in everything)
    by_key = {incident.key: incident for incident in assessment.incidents}
    for judgement in judgements:
        assert by_key[judgement.id].event_ids == judgement.event_ids
        assert by_key[judgement.id].state == judgement.state
    for words in (judgements, []):
        whole = assess(everything, policy=policy, judgements=words)
        summary = summarize(everything, policy=policy, judgements=words)
        for score, other in ((summary.machine, whole.machine), (summary.reviewed, whole.reviewed)):
            assert [(d.event_type, d.count, d.points) for d in score.deductions] == [
                (d.event_type, d.count, d.points) for d in other.deductions
            ]
        assert (summary.incident_count, summary.open_incidents) == (len(whole.incidents), whole.open_incidents)
        assert summary.confirmed_incidents == whole.confirmed_incidents
    assert assess(everything[::-1], policy=policy, judgements=judgements[::-1]) == assessment
