"""What the client's module does when the server stops, refuses or undecides, the tab closes, and the clock is wrong."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page

from tests import clips
from tests.browser.exams import log, numbers, open_client, until_answered
from tests.servers import until

#: The file of an upload, for the page: as text, since the page can take no bytes.
UPLOAD = """async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const recording = await client.upload(new Blob([bytes]), { filename: "clip.webm" });
    return recording.id;
}"""
WITH_A_BAD_TOKEN = """async () => {
    const { ProctoringClient } = await import("/static/proctoring-client.js");
    const session = await new ProctoringClient().start("Bad token");
    window.client = new ProctoringClient({ gatherMs: 2000 });
    await client.adopt({ ...session, token: `${session.token}x` });
    return [session.id, session.token];
}"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def failing(exam):
    """`failing(code, commands)`: the database of this site gives up these commands, until the test is over."""
    admin = exam.database.client.admin

    def fail(code: int, *commands: str) -> None:
        data = {"failCommands": list(commands), "appName": "exam", "errorCode": code}
        admin.command("configureFailPoint", "failCommand", mode="alwaysOn" if commands else "off", data=data)

    yield fail
    admin.command("configureFailPoint", "failCommand", mode="off")


class TestAServerThat:
    def test_is_stopped_and_started_again_gets_everything(self, exam, page, tmp_path):
        session_id = open_client(page, "Stopped")
        log(page, 10)
        exam.until_stored(session_id, 10)
        exam.web.stop()
        try:
            log(page, 10)
            video = clips.clip(tmp_path, ".webm").read_bytes()
            page.evaluate(f"async (text) => {{ window.uploaded = ({UPLOAD})(text); }}", b64encode(video).decode())
            until(lambda: not page.evaluate("client.isConnected"))
        finally:
            exam.web.start()
        log(page, 10)
        until_answered(page)
        assert exam.recording(page.evaluate("uploaded"))["sha256"] == hashlib.sha256(video).hexdigest()
        assert exam.sequences(session_id) == list(range(1, 31))
        assert page.evaluate("told.rejected") == []

    def test_answers_503_is_asked_again_when_it_said(self, exam, page, failing):
        answers = []
        page.on("response", lambda answer: answers.append(answer) if "/events" in answer.url else None)
        session_id = open_client(page, "Overloaded")
        failing(50, "insert")
        log(page, 5)
        until(lambda: page.evaluate("!client.isConnected"))
        failing(50)
        until_answered(page)
        refused, again = answers[:2]
        assert (refused.status, refused.headers["retry-after"], answers[-1].status) == (503, "5", 200)
        waited_ms = again.request.timing["startTime"] - refused.request.timing["startTime"]
        assert waited_ms >= 5000
        assert sorted(numbers(exam.events(session_id))) == list(range(5))

    def test_cannot_decide_yet_is_sent_the_same_event_again(self, exam, page):
        session_id = open_client(page, "Undecided")
        events, index = exam.database["events"], "clash"
        only_here = {"partialFilterExpression": {"data.clash": {"$exists": True}}, "unique": True, "name": index}
        events.create_index("data.clash", **only_here)
        try:
            log(page, 1, data={"clash": 1})
            until_answered(page)
            with page.expect_response("**/events/batch") as first:
                page.evaluate("client.batch([{event_type: 'paste', data: {clash: 1}}, {event_type: 'no_face'}])")
            assert [row["code"] for row in first.value.json()["rejected"]] == ["try_again"]
        finally:
            events.drop_index(index)
        exam.until_stored(session_id, 3)
        until_answered(page)
        assert sorted(exam.types(session_id)) == ["focus_lost", "no_face", "paste"]
        assert page.evaluate("told.rejected") == []

    @pytest.mark.parametrize("reason", ["session_closed", "not_found"])
    def test_takes_no_more_is_not_asked_again(self, exam, page, reason):
        session_id = open_client(page, "Over")
        log(page, 1)
        until_answered(page)
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        if reason == "not_found":
            exam.database["sessions"].delete_one({"_id": session_id})
        else:
            exam.database["sessions"].update_one({"_id": session_id}, {"$set": {"end_time": long_ago}})
        log(page, 2)
        until(lambda: page.evaluate("told.stopped"))
        assert page.evaluate("told.stopped") == [{"reason": reason, "dropped": 2}]
        assert exam.stored(session_id) == 1
        assert page.evaluate("client.end()") == reason

    def test_refuses_the_token_gets_everything_with_another_one(self, exam, page):
        page.goto("/blank")
        session_id, token = page.evaluate(WITH_A_BAD_TOKEN)
        held = []  # a beat with the bad one
        page.route("**/heartbeat", lambda route: route.continue_() if held else held.append(route))
        page.evaluate("void client.heartbeat()")
        log(page, 2)
        until(lambda: page.evaluate("client.stopped") == "token")
        log(page, 2)
        assert page.evaluate("client.waiting") == 4
        page.evaluate("(token) => client.useToken(token, '2100-01-01T00:00:00Z')", token)
        assert page.evaluate("new Date(client.keptUntil).toISOString()") == "2100-01-08T00:00:00.000Z"
        until_answered(page)
        assert exam.sequences(session_id) == [1_000_001, 1_000_002, 1_000_003, 1_000_004]  # of the second visit
        held[0].continue_()
        until(lambda: page.evaluate("client.state") == "running")
        page.evaluate("client.log('paste')")
        page.close(run_before_unload=True)
        exam.until_stored(session_id, 5)
