"""The lead of a group commit: passed on to who waits, held by one at a time and never by nobody."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from proctoring_site.mongo_engine.group_commit import GROUP_MAX, GroupCommit

THREADS, ROUNDS = 16, 150


def taken(documents):
    return [(document, True) for document in documents]


def test_one_leads_at_a_time_and_the_lead_is_never_lost_however_many_come_and_go():
    at_once, most = 0, 0
    lock = threading.Lock()

    def commit(documents):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.0005)
        with lock:
            at_once -= 1
        return taken(documents)

    group = GroupCommit(commit)

    def write(n):
        for turn in range(ROUNDS):
            ((stored, _),) = group.submit([{"n": n, "turn": turn}])
            assert stored == {"n": n, "turn": turn}

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(write, n) for n in range(THREADS)]:
            done.result(60)
    assert most == 1
    assert group._is_led is False


def test_nobody_is_left_asleep_where_others_begin_while_the_lead_is_passed_on():
    group = GroupCommit(taken)

    def write(n):
        for turn in range(ROUNDS * 10):
            begun = group.begin([{"n": n, "turn": turn}])
            if turn % 3:
                sum(range(turn % 50))  # something else
            ((stored, _),) = group.finish(begun)
            assert stored == {"n": n, "turn": turn}

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(write, n) for n in range(THREADS)]:
                done.result(60)
    finally:
        sys.setswitchinterval(usual)
    assert not group._is_led
    assert not group._waiting


def test_who_begins_while_an_heir_is_looked_for_waits_until_it_is_found():
    group = GroupCommit(taken)
    with ThreadPoolExecutor(1) as pool:

        class LookedAt:
            documents = [{}] * (GROUP_MAX + 1)  # no commit takes it along

            @property
            def is_waited_for(self):
                begun.append(pool.submit(group.begin, [{"n": 2}]))
                time.sleep(0.05)
                return False

        begun = []
        group._waiting.append(LookedAt())
        assert group.submit([{"n": 1}]) == [({"n": 1}, True)]
        begun[0].result(10)
    assert not group._is_led


def test_what_is_begun_goes_along_with_whoever_leads_and_needs_no_lead_of_its_own():
    groups = []
    group = GroupCommit(lambda documents: groups.append(documents) or taken(documents))
    begun, abandoned = group.begin([{"n": 1}]), group.begin([{"n": 2}])
    assert groups == []  # it waits for nobody's body
    assert group.submit([{"n": 3}]) == [({"n": 3}, True)]
    assert group.finish(begun) == group.finish(begun) == [({"n": 1}, True)]
    assert sorted(document["n"] for document in groups[0]) == [1, 2, 3]
    assert len(groups) == 1
    assert abandoned.is_settled
    assert group.submit([{"n": 4}]) == [({"n": 4}, True)]  # the lead went back


def test_who_finishes_leads_when_nobody_else_does_also_between_begin_and_finish_of_its_own():
    group = GroupCommit(taken)
    begun = group.begin([{"n": 1}])
    inner = group.begin([{"n": 2}])
    assert group.finish(inner) == [({"n": 2}, True)]
    assert group.finish(begun) == [({"n": 1}, True)]


def test_a_leader_commits_its_own_also_when_more_wait_before_it_than_one_commit_takes():
    groups = []
    group = GroupCommit(lambda documents: groups.append(documents) or taken(documents))
    begun = [group.begin([{"n": n}] * 400) for n in range(5)]
    assert len(group.finish(begun[4])) == 400
    assert [len(one) for one in groups] == [800]
    assert [len(group.finish(one)) for one in begun[:4]] == [400] * 4
    assert sum(map(len, groups)) == 2000


def test_the_lead_is_passed_over_who_has_only_begun_and_the_error_of_a_group_reaches_each():
    is_taken, is_open = threading.Event(), threading.Event()

    def commit(documents):
        if documents[0]["n"] == 1:
            is_taken.set()
            is_open.wait(10)
        if any(document["n"] == 4 for document in documents):
            raise OSError("gone")
        return taken(documents)

    group = GroupCommit(commit)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.submit, [{"n": 1}])
        assert is_taken.wait(10)
        begun = group.begin([{"n": 3}])
        second = pool.submit(group.submit, [{"n": 4}])
        while len(group._waiting) < 2:
            time.sleep(0.001)
        is_open.set()
        assert first.result(10)
        error = second.exception(10)
    assert isinstance(error, OSError)
    assert begun.error is error
    assert not group._is_led
