"""What the client's module makes of answers that are none of the server's: they say nothing about what was sent."""

from time import monotonic

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import log, numbers, open_client, told, until_answered, until_gathering
from tests.browser.impostor import Impostor, Reply, as_json
from tests.servers import until

TO_A_PORTAL = {"Location": "/portal"}
#: To a batch of one event.
STRANGE = [
    Reply(200),
    Reply(200, ""),
    Reply(204, ""),
    *(as_json(200, body) for body in ("ok", [], {})),
    as_json(200, {"created": None, "duplicate": [], "rejected": []}),
    as_json(200, {"created": [], "duplicate": [], "rejected": []}),
    as_json(200, {"created": [{"index": 0, "id": "someone else's"}], "duplicate": [], "rejected": []}),
    as_json(200, {"created": [None], "duplicate": [], "rejected": [None]}),
    as_json(200, {"created": [], "duplicate": [], "rejected": [{"index": 0, "code": "invalid"}]}),
    as_json(200, {"detail": "gone", "code": "session_closed"}),
    as_json(201, {}),
    Reply(302, headers=TO_A_PORTAL),
    Reply(307, headers=TO_A_PORTAL),
    *(Reply(status) for status in (401, 403, 404, 407, 413, 422, 502, 511)),
    as_json(403, {"code": "forbidden", "message": "Blocked."}),
    as_json(404, {"detail": "Not Found"}),
    as_json(404, {"detail": "There is no such address.", "code": "no_such_address"}),  # ours, behind a wrong proxy
    as_json(404, {"code": "not_found"}),
    as_json(409, {"code": "session_closed"}),
]
#: Whoever waits for an answer, but for that to the start, is told at once that it took too long, and `limits` tells how
#: long it would have been.
IMPATIENT = """
    window.limits = [];
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    AbortSignal.timeout = (ms) => {
        limits.push(ms);
        return timeout(limits.length > 1 ? ms / 60 : ms);
    };
"""

#: As where all cookies are blocked.
NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } })"
#: Each by a client of its own; null when it is refused.
START_CLIENT = """async (name) => {
    const { ProctoringClient } = await import("/static/proctoring-client.js");
    const client = new ProctoringClient();
    return client.start(name).then(({ id }) => id, () => null);
}"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


def open_through(impostor: Impostor, page: Page, name: str, **options: object) -> str:
    return open_client(page, name, visit=f"{impostor.url}/blank", **{"longestPauseMs": 50, **options})


class TestAnEvent:
    def test_is_kept_and_sent_again_whatever_else_answers(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Strange answers")
        for n, reply in enumerate(STRANGE):
            impostor.answer("/events/batch$", reply)
            log(page, 1, data={"n": n})
            impostor.until_replied()
            assert page.evaluate("[client.waiting, client.stopped, client.isConnected]") == [1, None, False], reply
            impostor.step_aside()
            exam.until_stored(session_id, n + 1)
            until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(len(STRANGE)))
        assert told(page, "rejected") == told(page, "stopped") == []
        assert not [call for call in impostor.passed if "portal" in call]

    def test_that_a_filter_stops_holds_up_no_other_and_is_sent_once_it_may_pass(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Filtered", gatherMs=200)
        for blocked in (Reply(403), Reply(200), Reply(413)):
            stored = exam.stored(session_id)
            impostor.answer("/events/batch$", blocked, when=lambda body: b"<script>" in body)
            log(page, 12)
            log(page, 1, message="<script>")
            log(page, 7)
            until(lambda: page.evaluate("client.waiting") == 1)
            log(page, 1)
            exam.until_stored(session_id, stored + 20)
            assert told(page, "rejected") == []
            impostor.step_aside()
            exam.until_stored(session_id, stored + 21)
            until_answered(page)
        assert len(set(exam.sequences(session_id))) == 63

    def test_in_more_than_something_before_the_server_lets_through_goes_in_smaller_batches(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Narrow", gatherMs=200)
        impostor.answer("/events/batch$", Reply(413), when=lambda body: len(body) > 5000)
        log(page, 60, message="x" * 500)
        until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(60))
        assert told(page, "rejected") == []

    def test_in_a_batch_that_takes_too_long_comes_with_fewer_others(self, exam, page, impostor):
        page.add_init_script(IMPATIENT)
        session_id = open_through(impostor, page, "Slow line", gatherMs=2000)
        until_gathering(page)
        asked = []
        page.on("request", lambda request: asked.append(request) if "/events/" in request.url else None)
        impostor.hold("/events/batch$")
        log(page, 8)
        until(lambda: page.evaluate("limits.length") > 2)  # one for the start
        impostor.let_go()
        until_answered(page)
        assert [len(request.post_data_json["events"]) for request in asked[:2]] == [8, 4]
        assert exam.sequences(session_id) == list(range(1, 9))

    def test_is_kept_while_the_server_is_set_up_for_another_host(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Wrong host")
        impostor.instead = {"Host": "elsewhere.example"}
        log(page, 3)
        until(lambda: page.evaluate("!client.isConnected"))
        assert page.evaluate("client.waiting") == 3
        impostor.instead = {}
        until_answered(page)
        assert exam.stored(session_id) == 3
        assert told(page, "rejected") == []


class TestThePage:
    def test_is_told_why_the_server_does_not_answer(self, exam, page, impostor):
        open_through(impostor, page, "Why")
        for reply in (Reply(502), Reply(511), Reply(302, headers=TO_A_PORTAL)):
            impostor.answer("/events/batch$", reply)
            log(page, 1)
            impostor.until_replied()
        impostor.step_aside()
        until_answered(page)
        reasons = [one["reason"] for one in told(page, "connection")]
        assert reasons == ["try_later", "stranger", None]

    def test_that_starts_a_session_is_not_given_one_by_a_stranger(self, page, impostor):
        page.goto(f"{impostor.url}/blank")
        start = """async () => {
            const { ProctoringClient } = await import("/static/proctoring-client.js");
            const client = new ProctoringClient();
            return client.start("Ada").catch(({ status, message }) => [client.id, status, message]);
        }"""
        for reply in (Reply(200), as_json(201, {}), as_json(201, {"id": "x"}), as_json(403, {"code": "no"})):
            impostor.answer("/sessions$", reply)
            assert page.evaluate(start) == [None, 0, "Something else answered in the server's place."]

    @pytest.mark.parametrize("is_kept", [True, False], ids=["also after a reload", "by a page that keeps nothing"])
    def test_whose_start_had_no_answer_gets_the_same_session_when_it_starts_again(self, exam, page, impostor, is_kept):
        def start(name=f"Lost, {is_kept=}"):
            return page.evaluate(START_CLIENT, name)

        page.add_init_script("" if is_kept else NO_STORAGE)
        page.goto(f"{impostor.url}/blank")
        sessions = exam.database["sessions"]
        impostor.lose("POST /sessions$")
        assert start() is None
        assert start() is None
        impostor.lose("$^")
        if is_kept:
            page.reload()
        opened = start()
        assert [one["_id"] for one in sessions.find({"candidate_name": f"Lost, {is_kept=}"})] == [opened]
        assert start() not in {opened, None}  # what is known is not opened again
        impostor.lose("POST /sessions$")
        assert start("Left without a word") is None
        impostor.lose("$^")
        other = start("Somebody else")
        assert sessions.find_one({"_id": other})["candidate_name"] == "Somebody else"
        if is_kept:
            page.evaluate("localStorage.setItem('proctoring-client start ', 'what somebody wrote there')")
            assert start("By no key") is not None


class TestTheEnd:
    def test_is_the_servers_to_tell(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Ends")
        for reply in (Reply(200), *(as_json(200, body) for body in ({}, [], {"id": "x"})), as_json(400, {"code": "x"})):
            impostor.answer("/end", reply)
            page.evaluate("void client.end()")
            impostor.until_replied()
        assert exam.session(session_id)["state"] == "running"
        assert page.evaluate("client.stopped") is None
        impostor.step_aside()
        until(lambda: page.evaluate("client.stopped") == "forgotten" or told(page, "stopped"))
        assert exam.session(session_id)["state"] == "ended"

    def test_waits_for_no_event_that_a_filter_stops(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Ends before one")
        impostor.answer("/events/batch$", Reply(403), when=lambda body: b"<script>" in body)
        log(page, 3)
        log(page, 1, message="<script>")
        assert page.evaluate("client.end()") == "ended"
        assert exam.session(session_id)["state"] == "ended"
        assert (exam.stored(session_id), page.evaluate("[client.waiting, client.stopped]")) == (3, [1, None])
        page.reload()  # it is no session to go on with, and what waits is sent by the way
        assert open_client(page, "resume", visit=f"{impostor.url}/blank") is None
        impostor.until_replied()
        impostor.step_aside()
        exam.until_stored(session_id, 4)
        (late,) = (event for event in exam.events(session_id) if event["message"] == "<script>")
        assert late["marks"] == ["late"]

    def test_before_a_stopped_event_is_the_end_also_when_it_is_stored_at_last(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Comes through")
        impostor.answer("/events/batch$", Reply(403))
        log(page, 2)
        assert page.evaluate("client.end()") == "ended"
        impostor.step_aside()
        until(lambda: told(page, "stopped"))
        assert exam.stored(session_id) == 2
        assert told(page, "rejected") == []
        assert page.evaluate("client.end()") == "ended"  # called again
        assert open_client(page, "resume", visit=f"{impostor.url}/blank") is None


class TestHeartbeats:
    def test_go_on_whatever_else_answers(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Beats")
        beats = exam.database["sessions"]
        page.evaluate("client.heartbeat()")
        until(lambda: told(page, "state"))
        strange = ({}, {"commands": []}, {"state": 1})
        for reply in (Reply(200), as_json(404, {"code": "not_found"}), *(as_json(200, body) for body in strange)):
            impostor.answer("/heartbeat", reply)
            impostor.until_replied(1)
        impostor.step_aside()
        before = beats.find_one({"_id": session_id})["heartbeat"]["beats"]
        until(lambda: beats.find_one({"_id": session_id})["heartbeat"]["beats"] > before)
        assert told(page, "stopped") == []

    def test_go_on_after_an_answer_that_says_less_or_more_than_today(self, page, impostor):
        open_through(impostor, page, "Other versions")
        page.evaluate("client.heartbeat()")
        until(lambda: told(page, "state"))
        news = [{"id": "1", "action": "dance", "message": "Now"}, None, {"action": "no id"}]
        for more in ({}, {"commands": None}, {"commands": news}, {"next_beat_s": "soon"}, {"commands": news}):
            impostor.answer("/heartbeat", as_json(200, {"state": "running", **more}))
            impostor.until_replied(1)
        assert told(page, "commands") == [["dance", "Now"]]

    def test_give_up_a_connection_that_died_before_the_server_misses_the_client(self, page, impostor):
        page.add_init_script(IMPATIENT)
        open_through(impostor, page, "Dead connection")
        impostor.hold("/heartbeat$")
        page.evaluate("client.heartbeat()")
        until(lambda: page.evaluate("client.state") == "running")
        impostor.let_go()
        limits = page.evaluate("limits")
        assert (limits[0], limits[1:3]) == (60_000, [15_000, 30_000])

    @pytest.mark.parametrize("wait_s", [0, 1e12], ids=["none", "more than a timer holds"])
    def test_never_come_without_a_pause(self, page, impostor, wait_s):
        open_through(impostor, page, "Hasty")
        impostor.answer("/heartbeat", as_json(200, {"state": "running", "next_beat_s": wait_s}))
        began = monotonic()
        page.evaluate("client.heartbeat()")
        impostor.until_replied(1)
        for _ in range(5):
            log(page, 1)
            until_answered(page)
        assert impostor.replied <= 1 + (monotonic() - began)  # one a second

    def test_come_at_their_time_when_the_page_cannot_follow_the_last_command(self, exam, page):
        session_id = open_client(page, "Cannot")
        page.evaluate("window.beforeConfirming = Promise.reject(new Error('no such dialog')); undefined")
        beats = []
        page.on("request", lambda request: beats.append(request) if "/heartbeat" in request.url else None)
        page.evaluate("client.heartbeat()")
        exam.act(session_id, "terminate", reason_code="technical.network")
        until(lambda: len(page.evaluate("told.commands")) > 1)
        before, began = len(beats), monotonic()
        for _ in range(5):
            page.evaluate("fetch('/healthz')")
        assert len(beats) <= before + 1 + (monotonic() - began)  # one a second
        page.evaluate("window.beforeConfirming = undefined")
        until(lambda: exam.commands(session_id) == [("terminate", True)])
