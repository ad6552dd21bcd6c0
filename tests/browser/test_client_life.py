"""What a page's life does to what its client has to deliver: frozen, left and come back to, reloaded in the middle of a
batch; and a clock that is set while it runs."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import log, numbers, open_client, until_answered, until_gathering
from tests.browser.impostor import impostor_before
from tests.browser.test_candidate_trouble import IS_ENDING
from tests.servers import until

#: `setClock(ms)`: from now on the clock is off by so much; `performance.now` is not.
CLOCK = """(() => {
    const Right = Date;
    let off = 0;
    const now = () => Right.now() + off;
    window.Date = class extends Right {
        constructor(...given) { super(...(given.length ? given : [now()])); }
        static now() { return now(); }
    };
    window.setClock = (ms) => { off = ms; };
})()"""
#: Longer than a test: what is logged then waits for something else than the loop.
NEVER_MS = 600_000
HOUR = timedelta(hours=1)


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


def set_clock(page: Page, off: timedelta) -> None:
    page.evaluate("(ms) => setClock(ms)", off / timedelta(milliseconds=1))


class TestAPageThat:
    def test_is_reloaded_in_the_middle_of_a_batch_loses_and_doubles_nothing(self, exam, page):
        with impostor_before(exam.url) as impostor:
            impostor.hold("/events/batch$")
            session_id = open_client(page, "Reloads", visit=f"{impostor.url}/blank")
            log(page, 20)
            until(lambda: impostor.held)
            log(page, 5)
            assert open_client(page, "resume", visit=f"{impostor.url}/blank") == session_id
            log(page, 3)
            until_answered(page)
            impostor.let_go()  # what the page that is gone had sent comes last of all
            until(lambda: impostor.passed.count(f"POST /sessions/{session_id}/events/batch") >= 3)
            assert page.evaluate("client.end()") == "ended"
        assert sorted(numbers(exam.events(session_id))) == sorted([*range(20), *range(5), *range(3)])

    def test_closes_with_an_event_too_large_for_a_beacon_sends_the_others(self, exam, page):
        session_id = open_client(page, "Large", gatherMs=NEVER_MS)
        until_gathering(page)
        log(page, 1, message="x" * 70_000)
        log(page, 3)
        page.close(run_before_unload=True)
        exam.until_stored(session_id, 3)

    def test_is_frozen_goes_on_when_it_thaws(self, exam, visitor, page):
        session_id = open_client(page, "Frozen")
        page.evaluate("client.heartbeat()")
        debugger = visitor.new_cdp_session(page)
        page.evaluate(
            "Promise.all(Array.from({ length: 10 }, (_, n) => client.log('paste', { data: { n } }))); undefined"
        )
        debugger.send("Page.setWebLifecycleState", {"state": "frozen"})
        twin = visitor.new_page()
        assert open_client(twin, "resume") == session_id
        log(twin, 5)
        until(lambda: twin.evaluate("client.waiting") == 0)
        debugger.send("Page.setWebLifecycleState", {"state": "active"})
        log(page, 1)
        until_answered(page)
        assert exam.stored(session_id) == 16
        assert len(set(exam.sequences(session_id))) == 16


class TestAClockThat:
    @pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["forward", "back"])
    def test_is_set_while_the_page_runs_leaves_the_timeline_right(self, exam, page, off):
        page.add_init_script(CLOCK)
        session_id = open_client(page, "Is set")
        began = datetime.now(UTC)
        log(page, 2)
        until_answered(page)
        set_clock(page, off)
        log(page, 2)
        until_answered(page)
        page.evaluate("client.heartbeat()")
        assert -5 < page.evaluate("client.secondsIn()") < (datetime.now(UTC) - began).total_seconds() + 5
        for event in exam.events(session_id):
            occurred = datetime.fromisoformat(event["occurred_at"])
            assert began - timedelta(seconds=5) < occurred < datetime.now(UTC) + timedelta(seconds=5)
            assert event["marks"] == []
        skews = sorted(abs(event["clock_skew_ms"]) for event in exam.events(session_id))
        assert [round(skew / 3_600_000) for skew in skews] == [0, 0, 1, 1]

    def test_was_ahead_offline_and_is_set_right_leaves_the_timeline_right(self, exam, visitor, page):
        page.add_init_script(CLOCK)
        session_id = open_client(page, "Is set right")
        set_clock(page, HOUR)
        visitor.set_offline(True)
        began = datetime.now(UTC)
        log(page, 2)
        set_clock(page, timedelta())
        log(page, 2)
        visitor.set_offline(False)
        until_answered(page)
        for event in exam.events(session_id):
            occurred = datetime.fromisoformat(event["occurred_at"])
            assert began - timedelta(seconds=5) < occurred < datetime.now(UTC) + timedelta(seconds=5)
            assert event["marks"] == []

    def test_is_years_ahead_at_the_next_visit_drops_nothing_that_waits(self, exam, visitor, page):
        session_id = open_client(page, "Years ahead")
        visitor.set_offline(True)
        log(page, 3)
        page.evaluate("void client.end()")
        until(lambda: page.evaluate(IS_ENDING))
        page.close()
        visitor.set_offline(False)
        page = visitor.new_page()
        page.add_init_script(CLOCK + f"; setClock({3 * 365 * 24 * 3_600_000});")
        assert open_client(page, "resume") is None
        until(lambda: exam.session(session_id)["state"] == "ended")
        assert exam.stored(session_id) == 3
