"""Leases in the database, for storages without locks: held while the work goes on, and not much longer by the dead."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from media_app.errors import StorageFailed
from media_app.storage import lease
from proctoring_site.jobs import lease as leases
from proctoring_site.jobs.renewal import renewed
from tests.servers import until

pytestmark = pytest.mark.usefixtures("committed_database")


def take(holder):
    return leases.take(lease._leases(), "a", holder, for_s=lease.HELD_S)


def test_who_works_on_keeps_it_though_it_would_have_run_out_long_ago(monkeypatch):
    """It is renewed a thousand times as often, and lasts no shorter, so that no busy machine can miss one."""

    def often(what, renew, *, every_s):
        assert every_s * 2 < lease.HELD_S
        return renewed(what, renew, every_s=every_s / 1000)

    def runs_until():
        return lease._leases().find_one({"_id": "a"})["until"]

    monkeypatch.setattr(leases, "renewed", often)
    with lease.one_at_a_time("a"):
        for _ in range(3):
            before = runs_until()
            until(lambda before=before: runs_until() > before)
        monkeypatch.setattr(lease, "WAIT_MAX_S", 0.1)
        with pytest.raises(StorageFailed), lease.one_at_a_time("a"):
            pytest.fail("Two have it.")


def test_that_of_the_dead_comes_to_who_waits_for_it(monkeypatch):
    monkeypatch.setattr(lease, "HELD_S", 0.5)
    assert take("killed")
    with lease.one_at_a_time("a"):
        assert not leases.renew(lease._leases(), "a", "killed", for_s=1)


def test_it_is_given_back_at_once_also_by_who_fails():
    with pytest.raises(ValueError, match="mine"), lease.one_at_a_time("a"):
        raise ValueError("mine")
    assert take("the next")


def test_the_clock_of_a_machine_is_not_asked(monkeypatch):
    """An hour ahead, another machine would take what is held."""
    with lease.one_at_a_time("a"):
        ahead = timezone.now() + timedelta(hours=1)
        monkeypatch.setattr(timezone, "now", lambda: ahead)
        assert not take("who is ahead")


def test_of_many_who_want_it_one_has_it():
    took, gate = [], threading.Barrier(8)

    def want(number):
        gate.wait()
        took.append(take(str(number)))

    threads = [threading.Thread(target=want, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False] * 7 + [True]
