"""Leases in the database, for storages without locks: held while the work goes on, and not much longer by the dead."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from media_app.errors import StorageFailed
from media_app.storage import lease

pytestmark = pytest.mark.usefixtures("committed_database")


@pytest.fixture
def quick(monkeypatch):
    """As they are, thirty times as fast."""
    monkeypatch.setattr(lease, "HELD_S", lease.HELD_S / 30)
    monkeypatch.setattr(lease, "WAIT_MAX_S", lease.WAIT_MAX_S / 30)


def test_who_works_on_keeps_it_though_it_would_have_run_out_long_ago(quick):
    # The second waits for twice as long as one lasts that nobody renews.
    with lease.one_at_a_time("a"), pytest.raises(StorageFailed), lease.one_at_a_time("a"):
        pytest.fail("Two have it.")


def test_that_of_the_dead_comes_to_who_waits_for_it(quick):
    assert lease._take("a", "killed")
    with lease.one_at_a_time("a"):
        assert not lease._renew("a", "killed")


def test_it_is_given_back_at_once_also_by_who_fails():
    with pytest.raises(ValueError, match="mine"), lease.one_at_a_time("a"):
        raise ValueError("mine")
    assert lease._take("a", "the next")


def test_the_clock_of_a_machine_is_not_asked(monkeypatch):
    """An hour ahead, another machine would take what is held."""
    with lease.one_at_a_time("a"):
        ahead = timezone.now() + timedelta(hours=1)
        monkeypatch.setattr(timezone, "now", lambda: ahead)
        assert not lease._take("a", "who is ahead")


def test_of_many_who_want_it_one_has_it(quick):
    took, gate = [], threading.Barrier(8)

    def want(number):
        gate.wait()
        took.append(lease._take("a", str(number)))

    threads = [threading.Thread(target=want, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False] * 7 + [True]
