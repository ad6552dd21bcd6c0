"""Ids of our making: random, of their version, and those of events in the order of their making."""

import time
from uuid import RFC_4122, UUID

import pytest

from sessions_app.ids import new_event_ids, new_id


@pytest.mark.parametrize(("make", "version"), [(lambda: [new_id()], 4), (lambda: new_event_ids(3), 7)])
def test_our_own_ids_are_random_uuids(make, version):
    made = [UUID(one) for _ in range(200) for one in make()][:200]
    assert len(set(made)) == 200
    assert {(one.version, one.variant) for one in made} == {(version, RFC_4122)}
    assert {str(one)[19] for one in made} == set("89ab")


def test_ids_of_events_tell_when_they_were_made_and_follow_each_other():
    before = time.time_ns() // 1_000_000
    made = [one for n in (1, 50, 3) for one in new_event_ids(n)]
    after = time.time_ns() // 1_000_000
    instants = [UUID(one).int >> 80 for one in made]
    assert before <= instants[0]
    assert instants[-1] <= after + 1
    assert [one[:18] for one in made[1:51]] == sorted({one[:18] for one in made[1:51]})
    assert made[0][:18] <= made[1][:18]
    assert new_event_ids(0) == []
