"""The reference page of a candidate, from consent to the video in the admin, with the browser's fake camera."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import log_in, screenshot
from tests.browser.exams import Exam
from tests.browser.test_recording import PLAY
from tests.servers import until

#: A camera that goes tells its track so.
UNPLUG = """(video) => {
    for (const track of video.srcObject.getVideoTracks()) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
    }
}"""


#: A computer without a microphone, and a recorder like Firefox's: one that is told of a codec too many gives nothing.
SILENT = """
const all = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (wanted.audio) throw new DOMException("", "NotFoundError");
    return all(wanted);
};
const begin = MediaRecorder.prototype.start;
MediaRecorder.prototype.start = function (ms) {
    if (!this.mimeType.includes("opus")) begin.call(this, ms);
};
"""
#: As a private window of Safari does.
NO_BLOBS = """
const add = IDBObjectStore.prototype.add;
IDBObjectStore.prototype.add = function (value) {
    if (value.bytes instanceof Blob) throw new DOMException("", "UnknownError");
    return add.call(this, value);
};
"""
#: What the page logs at a return, with how long it was away.
BACK = {"focus_back", "tab_shown", "devices_back"}
#: How many parts of a recording the page keeps.
PARTS = """async (sessionId) => {
    const { parts } = await import("/static/proctoring_site/candidate/recording.js");
    return (await parts(sessionId)).length;
}"""


@pytest.fixture
def page(visitor: BrowserContext, exam: Exam) -> Iterator[Page]:
    """It must stay quiet: no error, no refusal, nothing from another host."""
    page, complaints = visitor.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda request: complaints.append(request.url) if is_elsewhere(request.url, exam) else None)
    yield page
    assert complaints == []


def is_elsewhere(url: str, exam: Exam) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in {"data", "blob"} and f"{parts.scheme}://{parts.netloc}" != exam.url


def start(page: Page, exam: Exam, name: str) -> str:
    """Through consent and devices into the sitting, by one click too many; the session's id."""
    page.goto("/candidate/")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("I have read what is recorded, and I agree.").check()
    page.get_by_role("button", name="Start", exact=True).dblclick()
    expect(page.get_by_role("heading", name=f"Exam of {name}")).to_be_visible()
    return exam.database["sessions"].find_one({"candidate_name": name}, sort=[("start_time", -1)])["_id"]


def end(page: Page) -> None:
    page.get_by_role("button", name="End the exam").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()


def expect_done(page: Page, text: str = "Your exam has ended.", heading: str = "Done") -> None:
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator("#done-text")).to_contain_text(text)


class TestASitting:
    def test_ends_with_a_video_that_plays_in_the_admin(self, exam, site, browser, page):
        page.goto("/")
        page.get_by_role("link", name="Sit an exam").click()
        expect(page.get_by_role("heading", name="Before you start")).to_be_focused()
        page.get_by_role("button", name="Check camera and microphone").click()
        expect(page.get_by_text("Camera and microphone work.")).to_be_visible()
        until(lambda: page.locator("#preview").evaluate("(video) => video.videoWidth") > 0)
        page.get_by_label("Your name").press("Enter")  # nothing starts without name and consent
        expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
        page.get_by_label("Your name").fill("Whole Sitting")
        page.get_by_label("I have read what is recorded").check()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        session_id = exam.database["sessions"].find_one({"candidate_name": "Whole Sitting"})["_id"]
        until(lambda: page.evaluate(PARTS, session_id) == 1)
        end(page)
        expect_done(page)
        expect(page.locator("#sent")).to_contain_text("100 % of 0.")
        session = exam.database["sessions"].find_one({"_id": session_id})
        assert (session["status"], session["heartbeat"]["camera"]) == ("ended", True)
        assert exam.types(session["_id"])[0] == "sitting_started"
        assert exam.video_path(session["_id"]) == f"videos/{session['_id']}.webm"
        with browser.new_context(base_url=site.url) as reviewer:
            desk = reviewer.new_page()
            log_in(desk)
            desk.goto(f"/admin/sessions_app/session/{session['_id']}/change/")
            seen = desk.locator("video.review-player").evaluate(PLAY)
            assert (seen["width"], seen["height"]) == (640, 480)
            screenshot(desk, "candidate-in-the-admin")
        page.goto("/candidate/")
        expect(page.get_by_role("heading", name="Before you start")).to_be_visible()

    def test_notices_what_happens_to_the_page_and_the_camera(self, exam, page):
        session_id = start(page, exam, "Noticed")
        page.get_by_label("Your answer").fill("nine chars")
        page.keyboard.press("Control+A")
        page.keyboard.press("Control+X")
        page.keyboard.press("Control+V")
        page.evaluate("document.addEventListener('fullscreenchange', () => { window.hasEntered = true; })")
        page.get_by_role("button", name="Full screen").click()
        until(lambda: page.evaluate("window.hasEntered"))
        page.evaluate("document.exitFullscreen()")
        # A headless browser has no second window to turn to; what follows is what the browser would say then.
        page.evaluate("window.dispatchEvent(new Event('blur')); window.dispatchEvent(new Event('focus'))")
        hide = "Object.defineProperty(document, 'visibilityState', { value: VALUE, configurable: true })"
        for value in ("'hidden'", "'visible'"):
            page.evaluate(f"{hide.replace('VALUE', value)}; document.dispatchEvent(new Event('visibilitychange'))")
        page.locator("#preview").evaluate(UNPLUG)
        expect(page.get_by_text("The camera stopped working.")).to_be_visible()
        page.get_by_role("button", name="Turn on again").dblclick()
        until(lambda: "devices_back" in exam.types(session_id))
        end(page)
        expect_done(page)
        expected = {"paste", "fullscreen_left", "focus_lost", "focus_back", "tab_hidden", "tab_shown"}
        types = exam.types(session_id)
        assert set(types) >= expected | {"camera_lost", "devices_back"}
        assert len(types) == len(set(types))
        back = [event for event in exam.events(session_id) if event["event_type"] in BACK]
        assert len(back) == len(BACK)  # the way back has no length of its own: it would begin where the absence ended
        assert all(event["duration_s"] is None and event["data"]["away_s"] >= 0 for event in back)
        (pasted,) = [event for event in exam.events(session_id) if event["event_type"] == "paste"]
        assert (pasted["data"], pasted["message"]) == ({"characters": 10}, None)
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"

    def test_survives_a_reload_and_goes_on_also_without_a_microphone(self, exam, page):
        page.add_init_script(SILENT)
        session_id = start(page, exam, "Reloads in an exam")
        until(lambda: page.evaluate(PARTS, session_id) == 1)
        page.reload()
        expect(page.get_by_role("heading", name="Your exam is not over")).to_be_visible()
        expect(page.get_by_role("strong").get_by_text("Reloads in an exam")).to_be_visible()
        page.get_by_role("button", name="Continue").dblclick()
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        until(lambda: page.evaluate(PARTS, session_id) == 2)
        end(page)
        expect_done(page)
        assert exam.types(session_id) == ["sitting_started", "page_reloaded", "sitting_ended", "recording_interrupted"]
        assert exam.sequences(session_id) == [1, 1_000_001, 1_000_002, 1_000_003]
        assert exam.database["sessions"].count_documents({"candidate_name": "Reloads in an exam"}) == 1
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"
        begun = sorted(one["start_offset_s"] for one in exam.recordings(session_id))  # all of them, and when
        assert len(begun) == 2
        assert 0 <= begun[0] < begun[1] - 2
        (gap,) = [event for event in exam.events(session_id) if event["event_type"] == "recording_interrupted"]
        assert (gap["data"].keys(), gap["data"]["parts"], gap["duration_s"]) == ({"parts", "seconds"}, 2, None)

    def test_is_ended_from_the_question_after_a_reload_with_what_was_recorded(self, exam, page):
        page.add_init_script(NO_BLOBS)
        session_id = start(page, exam, "Gives up")
        until(lambda: page.evaluate(PARTS, session_id) == 1)
        page.reload()
        page.get_by_role("button", name="End the exam").first.click()
        expect_done(page)
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"
        assert exam.session(session_id)["state"] == "ended"


class TestWhatStaffDo:
    def test_is_seen_and_stops_the_sitting(self, exam, page):
        session_id = start(page, exam, "Supervised")
        exam.act(session_id, "message", message="<b>Please</b> turn on the light.")
        expect(page.get_by_role("log")).to_contain_text("<b>Please</b> turn on the light.")
        exam.act(session_id, "pause", reason="The network in the hall is down.")
        wait = page.get_by_role("dialog", name="Please wait")
        expect(wait).to_contain_text("The network in the hall is down.")
        for _ in range(3):
            page.keyboard.press("Escape")
        expect(wait).to_be_visible()
        exam.act(session_id, "resume")
        expect(wait).to_be_hidden()
        exam.act(session_id, "terminate", reason_code="technical.network", reason="It stays down.")
        expect_done(page, "Staff have ended your exam. It stays down.")
        assert [action for action, _ in exam.commands(session_id)] == ["message", "pause", "resume", "terminate"]
        until(lambda: all(confirmed for _, confirmed in exam.commands(session_id)))
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"
        assert exam.session(session_id)["state"] == "terminated"

    def test_a_pause_is_still_there_after_a_reload(self, exam, page):
        session_id = start(page, exam, "Paused")
        exam.act(session_id, "pause")
        expect(page.get_by_role("dialog", name="Please wait")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("dialog", name="Please wait")).to_be_visible()
        exam.act(session_id, "resume")
        expect(page.get_by_role("dialog", name="Please wait")).to_be_hidden()
