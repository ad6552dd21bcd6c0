"""What is left of a sitting when the tab closes, reloads or has a twin; when the clock is wrong; and what staff ask."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import log, numbers, open_client, until_answered, until_gathering
from tests.browser.test_candidate_trouble import IS_ENDING
from tests.servers import until

#: Longer than a test: what is logged then waits for something else than the loop.
NEVER_MS = 600_000
#: The browser's clock is off by so many milliseconds.
WRONG_CLOCK = """(() => {
    const Right = Date;
    const now = () => Right.now() + OFF_MS;
    window.Date = class extends Right {
        constructor(...given) { super(...(given.length ? given : [now()])); }
        static now() { return now(); }
    };
})()"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


class TestATabThat:
    def test_closes_sends_a_beacon(self, exam, page):
        session_id = open_client(page, "Closes", gatherMs=NEVER_MS)
        until_gathering(page)
        log(page, 7)
        assert exam.stored(session_id) == 0
        page.close(run_before_unload=True)
        exam.until_stored(session_id, 7)
        assert sorted(numbers(exam.events(session_id))) == list(range(7))

    def test_closes_with_more_than_a_beacon_holds_sends_what_fits_and_the_rest_at_the_next_visit(self, exam, visitor):
        page = visitor.new_page()
        session_id = open_client(page, "Closes with much", gatherMs=NEVER_MS)
        until_gathering(page)
        log(page, 300, message="x" * 3000)
        page.close(run_before_unload=True)
        exam.until_stored(session_id, 15)
        page = visitor.new_page()
        assert open_client(page, "resume") == session_id
        until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(300))

    def test_closes_offline_delivers_at_the_next_visit(self, exam, visitor, page):
        session_id = open_client(page, "Closes offline")
        visitor.set_offline(True)
        log(page, 5)
        page.close()
        visitor.set_offline(False)
        page = visitor.new_page()
        assert open_client(page, "resume") == session_id
        log(page, 1, data={"n": 5})
        exam.until_stored(session_id, 6)
        assert exam.sequences(session_id) == [1, 2, 3, 4, 5, 1_000_001]
        until_answered(page)
        assert page.evaluate("client.end()") == "ended"
        assert open_client(page, "resume") is None

    def test_closes_while_it_ends_ends_at_the_next_visit_of_any_page(self, exam, visitor, page):
        session_id = open_client(page, "Ends offline")
        visitor.set_offline(True)
        log(page, 3)
        page.evaluate("void client.end()")
        until(lambda: page.evaluate(IS_ENDING))
        page.close()
        visitor.set_offline(False)
        page = visitor.new_page()
        assert open_client(page, "resume") is None
        until(lambda: exam.session(session_id)["state"] == "ended")
        assert exam.stored(session_id) == 3

    def test_has_a_twin_sends_in_turn_with_it(self, exam, visitor, page):
        session_id = open_client(page, "Twins")
        twin = visitor.new_page()
        assert open_client(twin, "resume") == session_id
        under_way, together = set(), []

        def begins(request):
            if "/events" in request.url:
                under_way.add(request)
                together.append(len(under_way))

        for one in (page, twin):
            one.on("request", begins)
            one.on("response", lambda answer: under_way.discard(answer.request))
        for _ in range(5):
            log(page, 20)
            log(twin, 20)
        until_answered(page)
        until_answered(twin)
        assert exam.stored(session_id) == 200
        assert len(set(exam.sequences(session_id))) == 200
        assert together
        assert max(together) == 1


class TestAClockThat:
    def test_is_five_hours_ahead_leaves_the_timeline_right_and_the_skew_told(self, exam, page):
        off = timedelta(hours=5)
        page.add_init_script(WRONG_CLOCK.replace("OFF_MS", str(off // timedelta(milliseconds=1))))
        began = datetime.now(UTC)
        session_id = open_client(page, "Five hours ahead")
        log(page, 3)
        page.evaluate("client.heartbeat()")
        exam.until_stored(session_id, 3)
        assert page.evaluate("client.end()") == "ended"
        for event in exam.events(session_id):
            told, occurred = (datetime.fromisoformat(event[name]) for name in ("timestamp", "occurred_at"))
            assert began - timedelta(seconds=5) < occurred < datetime.now(UTC) + timedelta(seconds=5)
            assert abs(told - occurred - off) < timedelta(minutes=1)
            assert abs(timedelta(milliseconds=event["clock_skew_ms"]) - off) < timedelta(minutes=1)
            assert event["marks"] == []

    @pytest.mark.parametrize("year", [1980, 2150])
    def test_is_beyond_reason_loses_no_event(self, exam, page, year):
        off = datetime(year, 1, 1, tzinfo=UTC) - datetime.now(UTC)
        page.add_init_script(WRONG_CLOCK.replace("OFF_MS", str(off // timedelta(milliseconds=1))))
        session_id = open_client(page, "Beyond reason")
        log(page, 3)
        until_answered(page)
        assert exam.stored(session_id) == 3
        assert page.evaluate("told.rejected") == []


class TestAHeartbeat:
    def test_goes_on_after_signals_that_failed_or_were_no_json(self, exam, page):
        session_id = open_client(page, "No track yet")
        page.evaluate(
            """client.heartbeat(() => {
                window.asked = (window.asked ?? 0) + 1;
                if (asked === 1) throw new Error("no track yet");
                return { camera: asked === 2 ? 1n : true };
            })"""
        )
        stored = exam.database["sessions"]
        until(lambda: stored.find_one({"_id": session_id})["heartbeat"]["camera"])
        assert stored.find_one({"_id": session_id})["heartbeat"]["beats"] >= 3


class TestWhatStaffAsk:
    def test_reaches_the_page_once_each_and_is_confirmed(self, exam, page):
        session_id = open_client(page, "Asked")
        page.evaluate("client.heartbeat(() => ({ camera: true, microphone: false, detectors: ['face'] }))")
        exam.act(session_id, "message", message="Please turn on the light.")
        exam.act(session_id, "pause", reason="The network is down.")
        exam.act(session_id, "resume")
        until(lambda: len(page.evaluate("told.commands")) == 3)
        until(lambda: all(confirmed for _, confirmed in exam.commands(session_id)))
        exam.act(session_id, "terminate", reason_code="technical.network", reason="It stays down.")
        until(lambda: all(confirmed for _, confirmed in exam.commands(session_id)))
        asked = [["message", "Please turn on the light."], ["pause", "The network is down."], ["resume", None]]
        assert page.evaluate("told.commands") == [*asked, ["terminate", "It stays down."]]
        assert page.evaluate("told.state.at(-1)") == {"state": "terminated"}
        heartbeat = exam.database["sessions"].find_one({"_id": session_id})["heartbeat"]
        said = {name: heartbeat[name] for name in ("camera", "microphone", "screen", "detectors")}
        assert said == {"camera": True, "microphone": False, "screen": None, "detectors": ["face"]}

    def test_is_confirmed_only_once_the_page_has_done_it(self, exam, page):
        session_id = open_client(page, "Not yet")
        page.evaluate("window.beforeConfirming = new Promise((resolve) => { window.done = resolve; }); undefined")
        page.evaluate("client.heartbeat()")
        exam.act(session_id, "message", message="Please turn on the light.")
        until(lambda: page.evaluate("told.commands.length"))
        with page.expect_request("**/heartbeat"), page.expect_request("**/heartbeat"):
            pass
        assert exam.commands(session_id) == [("message", False)]
        page.evaluate("done()")
        until(lambda: exam.commands(session_id) == [("message", True)])
        assert len(page.evaluate("told.commands")) == 1

    def test_is_asked_again_after_a_reload_unless_it_was_done(self, exam, page):
        session_id = open_client(page, "Reloads")
        page.evaluate("window.beforeConfirming = new Promise(() => {}); undefined")
        page.evaluate("client.heartbeat()")
        exam.act(session_id, "message", message="Once more")
        until(lambda: page.evaluate("told.commands.length"))
        assert open_client(page, "resume") == session_id
        page.evaluate("client.heartbeat()")
        until(lambda: exam.commands(session_id) == [("message", True)])
        assert page.evaluate("told.commands") == [["message", "Once more"]]
