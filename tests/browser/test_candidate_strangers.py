"""The candidate's page while something answers in the server's place, refuses, or asks what the page cannot do."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.exams import Exam
from tests.browser.impostor import Impostor, Reply, as_json
from tests.browser.test_candidate import end, expect_done
from tests.browser.test_candidate_devices import KEPT
from tests.browser.test_candidate_trouble import fill_in
from tests.browser.test_client_disk import ON_DISK
from tests.servers import until

#: As it is eight days after the start, where a token is good for a day.
LONG_EXPIRED = """() => new Promise((resolve) => {
    indexedDB.open("proctoring-client").onsuccess = ({ target }) => {
        const writing = target.result.transaction("sessions", "readwrite");
        writing.objectStore("sessions").openCursor().onsuccess = ({ target: { result } }) =>
            result?.update({ ...result.value, tokenExpiresAt: new Date(Date.now() - 169 * 3600 * 1000).toISOString() });
        writing.oncomplete = () => resolve(target.result.close());
    };
})"""
TOO_LARGE = as_json(413, {"detail": "Too large.", "code": "video_too_large"}, Tus_Resumable="1.0.0")


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


def start(page: Page, exam: Exam, impostor: Impostor) -> str:
    fill_in(page, impostor.url)
    page.get_by_role("button", name="Check camera and microphone").click()
    expect(page.get_by_text("Camera and microphone work.")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="Exam of Ada")).to_be_visible()
    return exam.database["sessions"].find_one({"candidate_name": "Ada"}, sort=[("start_time", -1)])["_id"]


class TestTheVideo:
    def test_is_kept_when_the_token_expires_before_it_is_sent(self, exam, page, impostor):
        session_id = start(page, exam, impostor)
        until(lambda: page.evaluate(KEPT))  # else there is nothing to send
        impostor.answer("/uploads", Reply(503))
        end(page)
        impostor.until_replied()
        impostor.instead = {"Authorization": "Bearer expired"}
        impostor.step_aside()
        expect(page.get_by_text("The permission for this exam has expired.")).to_be_visible()
        expect(page.get_by_role("heading", name="Not everything was sent")).to_be_visible()
        page.get_by_role("link", name="Start another exam in this browser").click()
        expect(page.get_by_label("Your name")).to_be_visible()
        impostor.instead = {}
        page.go_back()
        expect_done(page)
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"

    def test_is_deleted_when_nobody_can_send_it_any_more(self, exam, page, impostor):
        start(page, exam, impostor)
        until(lambda: page.evaluate(KEPT))
        page.goto(f"{impostor.url}/candidate/blank")
        page.evaluate(LONG_EXPIRED)
        impostor.instead = {"Authorization": "Bearer expired"}
        page.goto(f"{impostor.url}/candidate/")
        page.get_by_role("button", name="End the exam").first.click()
        expect_done(page, "expired more than a week ago. What had not been sent by then", "Not everything was sent")
        assert page.evaluate(KEPT) == []

    def test_that_is_refused_keeps_no_other_from_being_sent(self, exam, page, impostor):
        session_id = start(page, exam, impostor)
        until(lambda: page.evaluate(KEPT))  # of the recording before the reload
        page.reload()
        kept_before = len(page.evaluate(KEPT))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        until(lambda: len(page.evaluate(KEPT)) > kept_before)  # one that is stopped at once has nothing to send
        impostor.answer("POST .*/uploads$", TOO_LARGE, when=lambda body: impostor.replied == 0)
        exam.act(session_id, "terminate", reason_code="technical.network")
        said = "The server did not accept all of the video: Too large. Please tell the staff."
        expect_done(page, f"Staff have ended your exam. {said}", "Not everything was accepted")
        (recording,) = exam.recordings(session_id)
        assert recording["state"] == "ready"

    def test_of_a_session_that_a_restored_database_does_not_know_is_not_called_the_reason(self, exam, page, impostor):
        session_id = start(page, exam, impostor)
        until(lambda: page.evaluate(KEPT))
        exam.database["sessions"].delete_one({"_id": session_id})
        expect(page.get_by_text("The server no longer knows this exam. Please tell the staff.")).to_be_visible()
        expect(page.get_by_text("Your exam has ended")).not_to_be_visible()


class TestThePage:
    def test_does_not_take_what_it_cannot_do_for_a_leave_to_go_on(self, exam, page, impostor):
        session_id = start(page, exam, impostor)
        exam.act(session_id, "pause", reason="Wait.")
        expect(page.get_by_text("Wait.")).to_be_visible()
        until(lambda: exam.commands(session_id) == [("pause", True)])
        asked = {"id": "1", "action": "dance", "message": None, "reason_code": None}
        impostor.answer("/heartbeat", as_json(200, {"state": "paused", "commands": [asked], "next_beat_s": 1}))
        impostor.until_replied()
        expect(page.get_by_text("Wait.")).to_be_visible()
        impostor.step_aside()
        exam.act(session_id, "resume")
        expect(page.get_by_text("Wait.")).to_be_hidden()

        impostor.answer("/events/batch$", Reply(403), when=lambda body: b"focus_lost" in body)
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        end(page)
        expect_done(page, "Something in your network blocks what this page recorded (1).", "Not everything was sent")

    def test_says_that_something_else_answers(self, exam, page, impostor):
        session_id = start(page, exam, impostor)
        impostor.answer("POST .*/sessions/", Reply(200))
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        expect(page.get_by_text("does your network ask you to log in?")).to_be_visible()
        impostor.step_aside()
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        until(lambda: {"focus_lost", "network_back"} <= set(exam.types(session_id)))
        impostor.instead = {"Authorization": "Bearer expired"}
        # A late answer of the impostor's may be a second loss, whose return waits then.
        expect(page.locator("#connection")).to_have_text(re.compile(r"^Permission expired(, \d waiting)?$"))

    @pytest.mark.parametrize("is_back_first", [True, False], ids=["before the reload", "after it"])
    def test_that_is_reloaded_while_nothing_answers_still_notes_the_return(self, exam, page, impostor, is_back_first):
        session_id = start(page, exam, impostor)
        exam.until_stored(session_id, 1)
        until(lambda: exam.database["sessions"].find_one({"_id": session_id}).get("heartbeat"))  # nothing is under way
        impostor.answer("POST .*/sessions/", Reply(503))
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        expect(page.locator("#connection")).to_contain_text("No connection")
        until(lambda: page.evaluate(ON_DISK)[1] == 2)  # what a page logs in its last milliseconds is lost with it
        page.goto("about:blank")
        if is_back_first:
            impostor.step_aside()
        page.goto(f"{impostor.url}/candidate/")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        impostor.step_aside()
        until(lambda: "network_back" in exam.types(session_id))
        # A late answer of the impostor's may be a second loss; one loss is never noted twice.
        network = [event for event in exam.events(session_id) if event["event_type"].startswith("network")]
        assert {event["event_type"] for event in network[::2]} == {"network_lost"}
        assert {event["event_type"] for event in network[1::2]} == {"network_back"}
        back = network[1]
        assert back["duration_s"] is None
        assert back["data"]["away_s"] > 0
