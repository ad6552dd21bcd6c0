"""A real browser records, uploads and plays; no camera is needed."""

import io
import json

import httpx
import pytest
from playwright.sync_api import Page, expect

from media_app.video import MP4, WEBM, VideoKind, identify
from tests import clips
from tests.browser.conftest import log_in, screenshot

RECORD_AND_UPLOAD = """async ([sessionId, token]) => {
    const stream = await navigator.mediaDevices.getUserMedia({video: {width: 320, height: 240}, audio: true});
    const recorder = new MediaRecorder(stream, {mimeType: "video/webm;codecs=vp8,opus"});
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start(500);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    recorder.stop();
    await stopped;
    stream.getTracks().forEach((track) => track.stop());
    const form = new FormData();
    form.append("file", new Blob(parts, {type: "video/webm"}), "recording");
    const answer = await fetch(
        `/sessions/${sessionId}/video`, {method: "POST", body: form, headers: {Authorization: `Bearer ${token}`}}
    );
    return {status: answer.status, body: await answer.json()};
}"""

#: Waits until time has passed in the video, and says what there is to see.
PLAY = """async (video) => {
    video.muted = true;
    const button = document.querySelector("[data-do=play]");
    if (button) button.click();  // the desk's page has a clock, which the video follows
    else await video.play();
    await new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`It does not play: ${video.currentTime} s.`)), 20_000);
        video.onerror = () => reject(new Error(video.error.message));
        video.ontimeupdate = () => { if (video.currentTime > 0.2) resolve(); };
    });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const brush = canvas.getContext("2d");
    brush.drawImage(video, 0, 0);
    const colours = new Set(brush.getImageData(0, 0, canvas.width, canvas.height).data);
    return {ready: video.readyState, width: video.videoWidth, height: video.videoHeight, colours: colours.size};
}"""


@pytest.fixture
def blank(page: Page) -> Page:
    """An empty page of the site's own origin, where nobody is signed in."""
    page.route(
        "**/blank", lambda route: route.fulfill(body="<!doctype html><title>blank</title>", content_type="text/html")
    )
    page.goto("/blank")
    return page


@pytest.fixture
def staff_blank(blank: Page) -> Page:
    log_in(blank)
    blank.goto("/blank")
    return blank


def play(page: Page, path: str) -> dict:
    page.evaluate("(path) => { document.body.innerHTML = `<video src='/${path}' controls></video>`; }", path)
    return page.locator("video").evaluate(PLAY)


def kind_served(site, path: str) -> VideoKind:
    return identify(io.BytesIO(httpx.get(f"{site.url}/{path}", headers=site.staff).content))


def test_what_the_browser_records_is_accepted_and_plays(site, blank):
    sitting = site.start_session("Recorded in the browser")
    session_id = sitting.id
    answer = blank.evaluate(RECORD_AND_UPLOAD, [sitting.id, sitting.token])
    assert answer["status"] == 200
    assert answer["body"]["video_path"] == f"videos/{session_id}.webm"
    assert kind_served(site, answer["body"]["video_path"]) == WEBM
    log_in(blank)
    blank.goto("/blank")
    seen = play(blank, answer["body"]["video_path"])
    assert seen["ready"] >= 2
    assert (seen["width"], seen["height"]) == (320, 240)
    assert seen["colours"] > 5
    blank.goto(f"/admin/sessions_app/session/{session_id}/change/")
    assert blank.locator("video.review-player").evaluate(PLAY)["ready"] >= 2
    screenshot(blank, "recorded-in-the-browser")


def test_an_mp4_of_the_import_folder_is_accepted_and_plays(site, staff_blank):
    session_id = site.start_session("Imported MP4").id
    clips.clip(site.import_dir, ".mp4", name="camera", seconds=3)
    path = f"{site.url}/sessions/{session_id}/video/import"
    answer = httpx.post(path, json={"filename": "camera.mp4"}, headers=site.staff)
    assert answer.status_code == 200
    assert kind_served(site, answer.json()["video_path"]) == MP4
    seen = play(staff_blank, answer.json()["video_path"])
    assert seen["ready"] >= 2
    assert (seen["width"], seen["height"]) == (320, 240)
    assert seen["colours"] > 5
    screenshot(staff_blank, "imported-mp4")


def test_a_second_recording_plays_beside_the_first(site, staff_blank, tmp_path):
    sitting = site.start_session()
    for suffix in (".webm", ".mp4"):
        with clips.clip(tmp_path, suffix).open("rb") as file:
            path = f"{site.url}/sessions/{sitting.id}/video"
            answer = httpx.post(path, files={"file": file}, headers=sitting.candidate)
        assert answer.json()["video_path"] == f"videos/{sitting.id}.webm"
    assert play(staff_blank, f"videos/{sitting.id}.webm")["ready"] >= 2


def test_a_refusal_reaches_the_page_as_json(site, browser):
    page = browser.new_page(base_url=site.url)
    page.goto("/")
    sitting = site.start_session()
    answer = page.evaluate(
        """async ([sessionId, token]) => {
            const form = new FormData();
            form.append("file", new Blob(["no video"]), "x.webm");
            const headers = {Authorization: `Bearer ${token}`};
            const answer = await fetch(`/sessions/${sessionId}/video`, {method: "POST", body: form, headers});
            return [answer.status, await answer.text()];
        }""",
        [sitting.id, sitting.token],
    )
    page.close()
    assert answer[0] == 415
    assert json.loads(answer[1])["code"] == "not_a_video"


def test_the_demo_video_plays_in_the_admin(staff_page):
    staff_page.goto("/admin/sessions_app/session/00000000-0000-4000-8000-000000000002/change/")
    video = staff_page.locator("video.review-player")
    expect(video).to_be_visible()
    assert video.evaluate(PLAY)["width"] == 320
