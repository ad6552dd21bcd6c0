"""Reads made together: each caller gets its own answer, and one that was read after it asked."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from proctoring_site.mongo_engine.group_find import AskedTogether, GroupFind
from tests.factories import make_sessions

CALLERS = 12


class Slow:
    """Answers when it is let; counts how often it was asked."""

    def __init__(self):
        self.asked, self.goes_on = [], threading.Event()
        self.busy = threading.Semaphore(0)

    def __call__(self, question):
        self.asked.append(question)
        self.busy.release()
        assert self.goes_on.wait(30)
        if question == "bad":
            raise ValueError(question)
        return question, len(self.asked)


@pytest.mark.usefixtures("database")
def test_equal_questions_that_wait_are_asked_once_and_after_they_were_put(django_db_blocker):
    slow = Slow()
    together = AskedTogether(slow)
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        first = pool.submit(together.ask, "first")
        assert slow.busy.acquire(timeout=30)
        before = len(slow.asked)
        later = [pool.submit(together.ask, "same") for _ in range(CALLERS)]
        while len(together._reader._waiting) < CALLERS:
            pass
        slow.goes_on.set()
        assert first.result()[0] == "first"
        answers = {one.result() for one in later}
    assert slow.asked.count("same") == 1
    assert answers == {("same", before + 1)}


@pytest.mark.usefixtures("database")
def test_an_error_goes_to_who_asked_then_and_to_nobody_later(django_db_blocker):
    slow = Slow()
    slow.goes_on.set()
    together = AskedTogether(slow)
    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(together.ask, "bad").exception(), ValueError)
        assert pool.submit(together.ask, "good").result()[0] == "good"


@pytest.mark.usefixtures("committed_database")
def test_each_gets_its_own_document_or_none(django_db_blocker):
    ids = [session.pk for session in make_sessions(10)]
    wanted = [ids[n % 10] if n % 3 else f"nobody {n}" for n in range(200)]
    find = GroupFind("sessions")

    def look(pk):
        with django_db_blocker.unblock():
            return find.one(pk)

    with ThreadPoolExecutor(CALLERS) as pool:
        found = list(pool.map(look, wanted))
    assert [document and document["_id"] for document in found] == [pk if pk in ids else None for pk in wanted]


@pytest.mark.usefixtures("committed_database")
def test_what_bson_cannot_say_fails_alone():
    (session,) = make_sessions(1)
    find = GroupFind("sessions")
    with pytest.raises(UnicodeEncodeError):
        find.one("\ud800")
    assert find.one(session.pk)["_id"] == session.pk
    assert connection.session is None
