"""The candidate's page without a camera, without a network, on a server that refuses; and how it is served and read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from proctoring_site.calls.answer_headers import HEADERS
from tests.access import early_in_a_minute
from tests.browser.conftest import screenshot
from tests.browser.test_candidate import PARTS, end, expect_done, start
from tests.servers import Web, until

#: What has a value or is pressed, and has no name for those who do not see it.
NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, progress, video, button, dialog")].filter(
    (one) => !(one.labels?.length || one.ariaLabel || one.getAttribute("aria-labelledby") || one.textContent.trim())
).map((one) => one.outerHTML)"""
#: Whether the module has written down that the sitting is to end.
IS_ENDING = """() => new Promise((resolve) => {
    indexedDB.open("proctoring-client").onsuccess = ({ target }) => {
        const reading = target.result.transaction("sessions").objectStore("sessions").getAll();
        reading.onsuccess = () => resolve(reading.result.some((session) => session.isEnding));
        target.result.close();
    };
})"""
#: As a browser says it when the candidate does not allow the camera; the browser of the tests always allows.
NOT_ALLOWED = """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError"); }"""
NO_CAMERA = """const all = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (wanted.video) throw new DOMException("", "NotFoundError");
    return all(wanted);
};"""
#: As Chromium does after five minutes to the timers of a tab that nobody looks at and that uses no camera.
HELD_BACK = "const own = setTimeout; window.setTimeout = (work, ms, ...told) => own(work, ms && 60_000, ...told);"

#: What is focused is not scrolled to under what stays at the top.
HEADING_BELOW_THE_BAR = """() => document.querySelector("#sitting h1").getBoundingClientRect().top >=
    document.querySelector(".bar").getBoundingClientRect().bottom"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def serving(exam) -> Iterator[Callable[..., str]]:
    """`serving(SETTING="…")`: the address of another site on the same database."""
    webs = []

    def serve(**settings: str) -> str:
        own = {name: exam.web.environment[name] for name in ("MONGODB_URL", "DATA_DIR", "MONGODB_DATABASE")}
        url, folder = own.pop("MONGODB_URL"), own.pop("DATA_DIR")
        webs.append(Web(url, folder, **own, **settings))
        return webs[-1].url

    yield serve
    for web in webs:
        web.stop()


def ask_to_start(page: Page, url: str) -> None:
    fill_in(page, url)
    page.get_by_role("button", name="Start", exact=True).click()


def fill_in(page: Page, url: str) -> None:
    page.goto(f"{url}/candidate/")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("I have read what is recorded").check()


class TestTrouble:
    def test_without_a_camera_a_sitting_goes_on_and_says_so(self, exam, page):
        page.add_init_script(NOT_ALLOWED)
        ask_to_start(page, exam.url)
        expect(page.get_by_role("alert")).to_contain_text("Press Start again to continue without them.")
        expect(page.get_by_text("Camera and microphone were not allowed.")).to_be_visible()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("Not recording")).to_be_visible()
        session_id = exam.database["sessions"].find_one({"candidate_name": "Ada"}, sort=[("start_time", -1)])["_id"]
        until(lambda: (exam.database["sessions"].find_one({"_id": session_id}) or {}).get("heartbeat"))
        end(page)
        expect_done(page)
        started, ended = exam.events(session_id)
        assert ended["event_type"] == "sitting_ended"
        assert (started["event_type"], started["data"]) == ("sitting_started", {"camera": False, "microphone": False})
        assert exam.session(session_id)["video_path"] is None
        assert exam.database["sessions"].find_one({"_id": session_id})["heartbeat"]["camera"] is None

    def test_in_a_tab_that_nobody_looks_at_a_sitting_beats_and_delivers_in_time(self, exam, page):
        for script in (NO_CAMERA, HELD_BACK):
            page.add_init_script(script)
        ask_to_start(page, exam.url)
        expect(page.get_by_text("No camera was found.")).to_be_visible()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("Not recording")).to_be_visible()
        sessions = exam.database["sessions"]
        session_id = sessions.find_one({"candidate_name": "Ada"}, sort=[("start_time", -1)])["_id"]
        until(lambda: sessions.find_one({"_id": session_id, "heartbeat.beats": {"$gte": 3}}))
        until(lambda: exam.types(session_id)[:1] == ["sitting_started"])
        end(page)
        expect_done(page)

    def test_without_a_network_it_says_how_much_waits_and_delivers_later(self, exam, visitor, page):
        session_id = start(page, exam, "No Network")
        exam.until_stored(session_id, 1)
        visitor.set_offline(True)
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        expect(page.get_by_text("No connection, 2 waiting", exact=True)).to_be_visible()
        end(page)
        expect(page.get_by_role("heading", name="Sending")).to_be_visible()
        expect(page.get_by_text("No connection, 3 waiting: sending resumes by itself.")).to_be_visible()
        visitor.set_offline(False)
        expect_done(page)
        started, *lost, ended = exam.types(session_id)  # a heartbeat may notice it before the window is left
        assert (started, sorted(lost), ended) == ("sitting_started", ["focus_lost", "network_lost"], "sitting_ended")
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"

    def test_a_page_closed_before_the_video_was_sent_sends_it_at_the_next_visit(self, exam, visitor, page):
        session_id = start(page, exam, "Closes")
        until(lambda: page.evaluate(PARTS, session_id) == 1)
        page.reload()
        page.get_by_role("button", name="Continue").click()
        until(lambda: page.evaluate(PARTS, session_id) == 2)
        visitor.set_offline(True)
        end(page)
        expect(page.get_by_role("heading", name="Sending")).to_be_visible()
        until(lambda: page.evaluate(IS_ENDING))
        page.close()
        visitor.set_offline(False)
        page = visitor.new_page()
        page.goto("/candidate/")
        expect_done(page)
        assert exam.video_path(session_id) == f"videos/{session_id}.webm"
        assert exam.session(session_id)["state"] == "ended"
        assert exam.types(session_id).count("recording_interrupted") == 1

    def test_a_server_on_which_only_others_start_exams_says_so_before_it_asks_anything(self, page, serving):
        page.goto(f"{serving(SESSION_CREATION='token')}/candidate/")
        expect_done(page, "On this server, exams are started by staff or their system", "Nothing to continue")

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"SESSION_CREATION": "token"}, "On this server, exams are started by staff or their system"),
            ({"SESSION_CREATION_PER_MINUTE": "1"}, "Too many exams are being started from your network."),
        ],
        ids=["token", "throttled"],
    )
    def test_a_server_that_opens_no_session_is_explained(self, exam, page, serving, settings, said):
        url = serving(**settings)
        fill_in(page, exam.url)  # and is restarted with other settings
        page.route("**/sessions", lambda route: route.fulfill(response=route.fetch(url=f"{url}/sessions")))
        page.get_by_role("button", name="Check camera and microphone").click()  # which may take its time
        expect(page.get_by_text("Camera and microphone work.")).to_be_visible()
        early_in_a_minute()
        for _ in range(2):
            httpx.post(f"{url}/sessions", json={"candidate_name": "Somebody"})
        page.set_viewport_size({"width": 390, "height": 600})  # Start stands below what is said at the top
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.get_by_role("alert")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()

    def test_closed_while_it_was_offline_it_says_so_and_what_came_too_late(self, exam, visitor, page):
        session_id = start(page, exam, "Came too late")
        exam.until_stored(session_id, 1)
        visitor.set_offline(True)
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        expect(page.get_by_text("No connection, 2 waiting", exact=True)).to_be_visible()
        long_ago = {"status": "expired", "end_time": datetime.now(UTC) - timedelta(hours=1)}
        exam.database["sessions"].update_one({"_id": session_id}, {"$set": long_ago})
        visitor.set_offline(False)
        expect_done(page, "(3) came too late and was not accepted. The video was sent.", "Not everything was accepted")
        assert exam.types(session_id) == ["sitting_started"]

    def test_in_a_second_tab_it_waits_until_the_first_is_closed_which_asks_before(self, exam, visitor, page):
        start(page, exam, "Two tabs")
        other = visitor.new_page()
        other.goto("/candidate/")
        expect(other.get_by_role("heading", name="Your exam is open in another tab")).to_be_visible()
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.close(run_before_unload=True)
        expect(other.get_by_role("heading", name="Your exam is not over")).to_be_visible()
        assert asked == ["beforeunload"]


class TestThePage:
    def test_that_does_not_load_whole_says_so(self, page):
        page.route("**/proctoring-heartbeat*.js", lambda route: route.abort())
        page.goto("/candidate/")
        expect(page.get_by_text("check your network and reload.")).to_be_visible()

    def test_may_use_camera_and_microphone_and_no_other_page_may(self, exam):
        page, start_page = (httpx.get(f"{exam.url}{path}").headers for path in ("/candidate/", "/"))
        allowed = page["Permissions-Policy"]
        assert {"camera=(self)", "microphone=(self)", "display-capture=(self)", "usb=()"} <= set(allowed.split(", "))
        assert start_page["Permissions-Policy"] == HEADERS["Permissions-Policy"]
        assert page["Content-Security-Policy"] == f"{HEADERS['Content-Security-Policy']}; worker-src blob:"

    def test_its_module_has_a_lasting_address_and_is_asked_for_again_soon(self, exam):
        address = f"{exam.url}/static/proctoring-client.js"
        module = httpx.get(address)
        assert (module.status_code, module.headers["Cache-Control"]) == (200, "max-age=60, public")
        assert module.headers["Content-Type"].startswith("text/javascript")
        assert module.headers["Access-Control-Allow-Origin"] == "*"
        again = httpx.get(address, headers={"If-None-Match": module.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    def test_names_all_that_can_be_used_and_has_one_heading_at_a_time(self, exam, page):
        page.goto("/candidate/")
        expect(page.get_by_role("heading", level=1)).to_have_text(["Before you start"])
        assert page.evaluate(NAMELESS) == []
        start(page, exam, "Named")
        expect(page.get_by_role("heading", level=1)).to_have_text(["Exam of Named"])
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        end(page)
        expect_done(page)
        expect(page.get_by_role("heading", level=1)).to_have_text(["Done"])

    def test_can_be_used_by_keyboard_alone(self, exam, page):
        page.goto("/candidate/")
        expect(page.get_by_role("heading", name="Before you start")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.type("Keys Only")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Camera and microphone work.")).to_be_visible()
        for key in ("Tab", "Tab", "Tab", "Space", "Tab", "Enter"):
            page.keyboard.press(key)
        expect(page.get_by_role("heading", name="Exam of Keys Only")).to_be_visible()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_a_narrow_screen(self, exam, page, scheme):
        page.set_viewport_size({"width": 400, "height": 400})
        page.emulate_media(color_scheme=scheme)
        start(page, exam, "A name that is far too long for a narrow screen and has " + "nobreakinit" * 8)
        screenshot(page, f"candidate-narrow-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.evaluate(HEADING_BELOW_THE_BAR)
