"""Events become incidents: always the same ones, whatever the order, and each event in exactly one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.review.folding import Seen, fold
from tests.unhurried import UNHURRIED

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAP = 30.0


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def seen(*instants, event_type="no_face", **fields):
    return [Seen(f"{event_type}-{n}", event_type, at(second), **fields) for n, second in enumerate(instants)]


def shape(incidents):
    return [(i.event_type, i.event_ids, i.start, i.end, i.key) for i in incidents]


class TestTheGap:
    def test_events_within_it_are_one_incident(self):
        (incident,) = fold(seen(0, 30, 55), gap_s=GAP)
        assert (incident.start, incident.end, incident.count) == (at(0), at(55), 3)

    def test_a_millisecond_more_makes_two(self):
        assert [i.count for i in fold(seen(0, 30.001), gap_s=GAP)] == [1, 1]

    def test_it_begins_where_the_longest_event_ended(self):
        long = Seen("a", "no_face", at(0), duration_s=100)
        (incident,) = fold([long, *seen(10, 125)], gap_s=GAP)
        assert (incident.end, incident.length_s) == (at(125), 125)

    def test_types_do_not_mix(self):
        incidents = fold([*seen(0, 1), *seen(0, 1, event_type="phone")], gap_s=GAP)
        assert [(i.event_type, i.count) for i in incidents] == [("no_face", 2), ("phone", 2)]

    def test_events_without_an_instant_are_one_incident_before_the_others(self):
        lost = [Seen(str(n), "no_face", None) for n in range(3)]
        first, second = fold([*seen(0), *lost], gap_s=GAP)
        assert (first.count, first.start, first.end, first.length_s) == (3, None, None, None)
        assert second.count == 1


class TestWhatAnIncidentTells:
    def test_its_peak_and_its_detectors(self):
        events = [
            Seen("a", "x", at(0), confidence=0.4, source="phone-net 1"),
            Seen("b", "x", at(1), confidence=0.9, source="phone-net 2"),
            Seen("c", "x", at(2)),
        ]
        (incident,) = fold(events, gap_s=GAP)
        assert (incident.peak_confidence, incident.sources) == (0.9, ("phone-net 1", "phone-net 2"))

    @pytest.mark.parametrize(("duration_s", "length_s"), [(None, None), (0, 0), (4.5, 4.5)])
    def test_the_length_of_a_single_event_is_known_when_it_says_so(self, duration_s, length_s):
        (incident,) = fold([Seen("a", "x", at(0), duration_s=duration_s)], gap_s=GAP)
        assert incident.length_s == length_s

    @pytest.mark.parametrize("duration_s", [-5, 1e300, float("inf")])
    def test_a_senseless_duration_of_an_adopted_event_fails_nothing(self, duration_s):
        (incident,) = fold([Seen("a", "x", at(0), duration_s=duration_s)], gap_s=GAP)
        assert incident.end >= incident.start

    def test_the_last_instant_of_the_calendar_fails_nothing(self):
        last = datetime.max.replace(tzinfo=UTC)
        (incident,) = fold([Seen("a", "x", last, duration_s=60)], gap_s=GAP)
        assert incident.end == last

    def test_its_key_names_just_these_events(self):
        one, other = fold(seen(0, 5), gap_s=GAP), fold(seen(0, 5, 6), gap_s=GAP)
        assert one[0].key != other[0].key
        assert one[0].key == fold(reversed(seen(0, 5)), gap_s=GAP)[0].key


instants = st.none() | st.integers(0, 600_000).map(lambda ms: NOON + timedelta(milliseconds=ms))
events = st.lists(
    st.builds(
        Seen,
        id=st.integers(0, 10**9).map(str),
        event_type=st.sampled_from(["phone", "no_face", "", "телефон", "\ud800"]),
        at=instants,
        duration_s=st.none() | st.floats(0, 120) | st.sampled_from([-1.0, 1e30]),
    ),
    unique_by=lambda event: event.id,
    max_size=60,
)


@settings(UNHURRIED, max_examples=100)
@given(events=events, gap_s=st.floats(0, 3600), order=st.randoms(use_true_random=False))
def test_folding_is_the_same_in_every_order_and_every_event_is_in_exactly_one_incident(events, gap_s, order):
    incidents = fold(events, gap_s=gap_s)
    shuffled = list(events)
    order.shuffle(shuffled)
    assert shape(fold(shuffled, gap_s=gap_s)) == shape(incidents)
    ids = [pk for incident in incidents for pk in incident.event_ids]
    assert sorted(ids) == sorted(event.id for event in events)
    for incident in incidents:
        assert {event.event_type for event in incident.events} == {incident.event_type}
    for event_type in {incident.event_type for incident in incidents}:
        timed = [i for i in incidents if i.event_type == event_type and i.start]
        for before, after in pairwise(timed):
            assert after.start - before.end > timedelta(seconds=gap_s)
