"""The candidate's page where a camera, a recorder or a disk fails in the middle, or is cleared."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_candidate import PARTS, UNPLUG, end, expect_done, start
from tests.browser.test_client_disk import ASK_TO_DELETE, HOLD
from tests.servers import until

#: Once `hasNoCamera` it is unplugged.
NO_MORE_CAMERA = """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (window.hasNoCamera && wanted.video) throw new DOMException("", "NotFoundError");
        return ask(wanted);
    };
"""
#: As of one that its computer switches off, or back on.
MUTE = """(video, isMuted) => {
    const [track] = video.srcObject.getVideoTracks();
    Object.defineProperty(track, "muted", { value: isMuted, configurable: true });
    track.dispatchEvent(new Event(isMuted ? "mute" : "unmute"));
}"""
#: The first recorder gives nothing, without an error, and never stops; the time can be set on.
DEAF = """
    const [now, later, begin] = [performance.now.bind(performance), setTimeout, MediaRecorder.prototype.start];
    performance.now = () => now() + (window.aheadMs ?? 0);
    window.setTimeout = (work, ms, ...told) => later(work, ms === 10_000 ? 100 : ms, ...told);
    MediaRecorder.prototype.start = function (ms) {
        begin.call(this, ms);
        if (window.isDeaf === undefined) this.ondataavailable = this.onstop = null;
        window.isDeaf = true;
    };
"""
#: As Chromium says it when the disk is full: to the recording alone, and from the start.
FULL_DISK = """
    window.isFull = true;
    const add = IDBObjectStore.prototype.add;
    IDBObjectStore.prototype.add = function (...given) {
        if (window.isFull) throw new DOMException("", "QuotaExceededError");
        return add.apply(this, given);
    };
"""
FIRST_BYTES = """async (sessionId) => {
    const { files } = await import("/static/proctoring_site/candidate/recording.js");
    const [{ blob }] = await files(sessionId);
    return [...new Uint8Array(await blob.slice(0, 4).arrayBuffer())];
}"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


class TestACamera:
    def test_that_falls_silent_or_is_gone_is_told_until_it_is_back(self, exam, page):
        page.add_init_script(NO_MORE_CAMERA)
        session_id = start(page, exam, "Without a camera")
        stopped = page.get_by_text("The camera stopped working.")
        page.locator("#preview").evaluate(MUTE, True)
        expect(stopped).to_be_visible()
        page.locator("#preview").evaluate(MUTE, False)
        expect(stopped).to_be_hidden()
        page.evaluate("window.hasNoCamera = true")
        page.locator("#preview").evaluate(UNPLUG)
        expect(stopped).to_be_visible()
        page.get_by_role("button", name="Turn on again").click()
        expect(page.get_by_text("No camera was found.")).to_be_visible()
        end(page)
        expect_done(page)
        seen = ["sitting_started", "camera_lost", "devices_back", "camera_lost", "sitting_ended"]
        assert exam.types(session_id) == seen
        assert [recording["state"] for recording in exam.recordings(session_id)] == ["ready"]

    def test_that_works_while_its_recorder_gives_nothing_is_told_until_it_is_turned_on_again(self, exam, page):
        page.add_init_script(DEAF)
        session_id = start(page, exam, "Deaf")
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        page.evaluate("window.aheadMs = 13_000")
        expect(page.get_by_text("Not recording")).to_be_visible()
        page.evaluate("window.aheadMs = 17_000")
        expect(page.get_by_text("Nothing is being recorded. Turn")).to_be_visible()
        until(lambda: exam.database["sessions"].find_one({"_id": session_id, "heartbeat.recording": False}))
        exam.act(session_id, "pause")
        expect(page.get_by_text("Nothing is being recorded. This message goes away by itself.")).to_be_visible()
        exam.act(session_id, "resume")
        page.get_by_role("button", name="Turn on again").click()
        expect(page.get_by_text("Recording", exact=True)).to_be_visible()
        expect(page.get_by_text("Nothing is being recorded")).to_be_hidden()
        until(lambda: page.evaluate(PARTS, session_id) == 1)
        end(page)
        expect_done(page)
        assert exam.types(session_id) == ["sitting_started", "recording_stopped", "devices_back", "sitting_ended"]
        assert [recording["state"] for recording in exam.recordings(session_id)] == ["ready"]


class TestADisk:
    def test_that_is_full_for_a_while_keeps_the_recording_in_its_order(self, exam, page):
        page.add_init_script(FULL_DISK)
        session_id = start(page, exam, "Full for a while")
        expect(page.get_by_text("This browser cannot store anything")).to_be_visible()
        assert page.evaluate(KEPT) == []
        page.evaluate("window.isFull = false")
        until(lambda: len(page.evaluate(KEPT)) >= 2)
        assert page.evaluate(FIRST_BYTES, session_id) == [0x1A, 0x45, 0xDF, 0xA3]  # of every WebM

    def test_that_is_cleared_has_the_rest_recorded_as_a_part_of_its_own(self, exam, visitor, page):
        session_id = start(page, exam, "Cleared")
        until(lambda: page.evaluate(KEPT))
        asked = {"origin": exam.url, "storageTypes": "indexeddb"}
        visitor.new_cdp_session(page).send("Storage.clearDataForOrigin", asked)
        exam.until_stored(session_id, 2)
        until(lambda: page.evaluate(PARTS, session_id))
        end(page)
        expect_done(page)
        assert exam.types(session_id) == ["sitting_started", "recording_lost", "sitting_ended"]
        assert [recording["state"] for recording in exam.recordings(session_id)] == ["ready"]

    def test_that_hangs_holds_up_no_page(self, exam, visitor, page):
        holding, deleting = visitor.new_page(), visitor.new_page()
        for other, script in ((holding, HOLD), (deleting, ASK_TO_DELETE)):
            other.goto("/blank")
            other.evaluate(script.replace("proctoring-client", "proctoring-recording"))
        page.goto("/candidate/")
        expect(page.get_by_label("Your name")).to_be_visible()


#: Slices of recordings, so many hours old, of sessions that are kept for so many more and that nobody else here knows.
LEFT_BEHIND = """(hours) => new Promise((resolve) => {
    indexedDB.open("proctoring-recording", 1).onsuccess = ({ target }) => {
        const writing = target.result.transaction("slices", "readwrite");
        for (const [age, left] of hours) {
            const startedAt = Date.now() - age * 3600 * 1000;
            const slice = { sessionId: `${age} ${left}`, part: "1", startedAt, bytes: new Blob(["x"]) };
            if (left !== null) slice.keptUntil = Date.now() + left * 3600 * 1000;
            writing.objectStore("slices").add(slice);
        }
        writing.oncomplete = () => resolve(target.result.close());
    };
})"""
KEPT = """() => new Promise((resolve) => {
    indexedDB.open("proctoring-recording", 1).onsuccess = ({ target }) => {
        const reading = target.result.transaction("slices").objectStore("slices").getAll();
        reading.onsuccess = () => resolve(reading.result.map((slice) => slice.sessionId));
        target.result.close();
    };
})"""


def test_a_recording_of_an_unknown_session_is_kept_as_that_is_and_a_week_by_a_clock_that_is_ahead(exam, page):
    page.goto("/candidate/")
    expect(page.get_by_label("Your name")).to_be_visible()
    page.evaluate(LEFT_BEHIND, [[25, -9999], [193, -1], [193, 1], [193, None], [25, None]])
    page.reload()
    expect(page.get_by_label("Your name")).to_be_visible()
    assert page.evaluate(KEPT) == (kept := ["25 -9999", "193 1", "25 null"])
    start(page, exam, "Kept")
    end(page)
    expect_done(page)
    assert page.evaluate(KEPT) == kept, "only what was sent is forgotten"
