"""The lead of a group commit: passed on to who waits, held by one at a time and never by nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from proctoring_site.mongo_engine.group_commit import GroupCommit

THREADS, ROUNDS = 16, 150


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
        return [(document, True) for document in documents]

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
