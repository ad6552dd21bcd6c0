"""Recordings on their way over lines that break, to a server that is killed, from reloaded pages: what arrives is what
was sent. By our module, and by tus-js-client, which we did not write."""

import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Response

from tests import clips, node
from tests.browser.conftest import log_in
from tests.browser.exams import Exam, open_client
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.servers import until

MIB = 1024**2

#: In the page: `film` is what was recorded.
FETCH_FILM = "async () => { window.film = await (await fetch('/film.webm')).blob(); }"
UPLOAD = """async () => {
    window.parts = [];
    return client.upload(film, { startOffsetS: 1.5, onProgress: (part) => parts.push(part) });
}"""
RECORD = """async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true });
    const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8,opus" });
    const slices = [];
    recorder.ondataavailable = (event) => slices.push(event.data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start(200);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    recorder.stop();
    await stopped;
    for (const track of stream.getTracks()) track.stop();
    window.film = new Blob(slices, { type: "video/webm" });
    const digest = await crypto.subtle.digest("SHA-256", await film.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}"""
BY_TUS_JS_CLIENT = """([endpoint, token]) => new Promise((resolve, reject) => {
    const upload = new tus.Upload(film, {
        endpoint,
        chunkSize: 50_000,
        retryDelays: [0, 100, 300, 500, 1000, 1000, 3000],
        headers: { Authorization: `Bearer ${token}` },
        metadata: { kind: "camera", filename: "exam.webm", filetype: film.type },
        onError: reject,
        onSuccess: () => resolve(upload.url),
    });
    upload.start();
})"""
#: What a player knows before it plays: how long it is, and up to where it can be sought in (a stream: Infinity, 0).
LOOK = """async (url) => {
    const video = Object.assign(document.createElement("video"), { muted: true, src: url });
    document.body.replaceChildren(video);
    await new Promise((resolve, reject) => {
        video.onloadeddata = resolve;
        video.onerror = () => reject(new Error(video.error.message));
    });
    const { duration, seekable } = video;
    return { duration: String(duration), seekable: seekable.length ? seekable.end(seekable.length - 1) : 0 };
}"""
SEEK = """async (share) => {
    const video = document.querySelector("video");
    const seeked = new Promise((resolve) => (video.onseeked = resolve));
    video.currentTime = video.duration * share;
    await seeked;
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const brush = canvas.getContext("2d");
    brush.drawImage(video, 0, 0);
    return { at: video.currentTime, colours: new Set(brush.getImageData(0, 0, 320, 240).data).size };
}"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.long_recording(tmp_path_factory.mktemp("film") / "film.webm", size_bytes=12 * MIB)


@pytest.fixture
def line(exam: Exam) -> Iterator[CuttingProxy]:
    with cutting_proxy(urlsplit(exam.url).port) as proxy:
        yield proxy


@pytest.fixture
def page(visitor: BrowserContext, film: Path) -> Page:
    visitor.route("**/film.webm", lambda route: route.fulfill(path=film, content_type="video/webm"))
    return visitor.new_page()


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def offsets(page: Page) -> list[int]:
    """Where each part that the page sends begins, as they go. A browser's own second try does not show, and one place
    shows once if the server refused it the other time, since it still took what came by a connection that broke. One
    that lies further back shows all the same."""
    seen: list[int] = []
    refused: set[int] = set()

    def note(request: Request) -> None:
        if request.method != "PATCH":
            return
        offset = int(request.headers["upload-offset"])
        if seen[-1:] != [offset] or offset not in refused:
            seen.append(offset)
        refused.discard(offset)

    def forget(response: Response) -> None:
        if response.request.method == "PATCH" and response.status == HTTPStatus.CONFLICT:
            offset = int(response.request.headers["upload-offset"])
            if seen[-2:] == [offset, offset]:
                seen.pop()
            else:
                refused.add(offset)

    page.on("request", note)
    page.on("response", forget)
    return seen


def kill(exam: Exam) -> None:
    """As a fault would: in the middle of a part. It is back at once."""
    killed = exam.web.worker_pids
    exam.web.kill_workers()
    exam.web.bring_back(killed)


class TestOurModule:
    def start(self, page: Page, line: CuttingProxy) -> str:
        session_id = open_client(page, "Sends", base=line.url, visit=f"{line.url}/blank")
        page.evaluate(FETCH_FILM)
        return session_id

    def expect_whole(self, exam: Exam, session_id: str, film: Path) -> None:
        (recording,) = exam.recordings(session_id)
        assert (recording["state"], recording["sha256"]) == ("ready", sha256_of(film))
        assert recording["told_sha256"] == recording["sha256"]
        assert (recording["kind"], recording["start_offset_s"]) == ("camera", 1.5)

    def test_goes_on_after_the_line_broke(self, exam, page, line, film):
        session_id = self.start(page, line)
        started_at = offsets(page)
        line.cut_at(MIB, 7 * MIB, 9 * MIB)
        page.evaluate(UPLOAD)
        assert line.cuts == []
        assert started_at == sorted(set(started_at))  # never from the start again, not even of a part
        parts = page.evaluate("parts")
        assert parts[-1] == 1
        assert all(0 <= part <= 1 for part in parts)
        self.expect_whole(exam, session_id, film)

    def test_goes_on_after_the_server_was_killed(self, exam, page, line, film):
        session_id = self.start(page, line)
        started_at = offsets(page)
        line.cut_at(8 * MIB, meanwhile=lambda: kill(exam))
        page.evaluate(UPLOAD)
        assert line.cuts == []
        assert started_at == sorted(started_at)
        self.expect_whole(exam, session_id, film)

    def test_goes_on_after_a_reload_and_sends_nothing_twice(self, exam, page, line, film):
        session_id = self.start(page, line)
        line.cut_at(9 * MIB, meanwhile=line.go_down)
        page.evaluate(f"() => {{ ({UPLOAD})().catch(() => {{}}); }}")
        until(lambda: line.cuts == [])
        page.reload()
        line.is_down = False
        assert open_client(page, "resume", base=line.url, visit=f"{line.url}/blank") == session_id
        page.evaluate(FETCH_FILM)
        started_at = offsets(page)
        recording_id = page.evaluate(UPLOAD)["id"]
        assert min(started_at) >= 3 * MIB
        self.expect_whole(exam, session_id, film)
        started_at.clear()
        assert page.evaluate(UPLOAD) == {"id": recording_id}
        assert started_at == []

    def test_begins_anew_when_the_server_has_forgotten_the_upload(self, exam, page, line, film):
        session_id = self.start(page, line)
        line.cut_at(9 * MIB, meanwhile=lambda: exam.database["recordings"].delete_many({"session_id": session_id}))
        page.evaluate(UPLOAD)
        self.expect_whole(exam, session_id, film)

    def test_says_what_the_server_refuses(self, exam, page, line):
        session_id = self.start(page, line)
        refused = (
            "client.upload(film, {kind: 'x'}).catch(({status, code, fields}) => [status, code, Object.keys(fields)])"
        )
        assert page.evaluate(refused) == [400, "invalid", ["kind"]]
        assert exam.database["recordings"].count_documents({"session_id": session_id}) == 0
        page.evaluate("client.useToken('nonsense')")
        assert page.evaluate("client.upload(film).catch((error) => error.code)") == "invalid_token"


class TestTusJsClient:
    def test_in_a_browser_sends_what_it_records_and_what_arrives_can_be_sought_in(self, exam, page, line):
        script = (node.MODULES / "tus-js-client" / "dist" / "tus.min.js").read_text()
        page.goto(f"{line.url}/blank")
        page.evaluate(script)
        sha256 = page.evaluate(RECORD)
        before = page.evaluate(f"() => ({LOOK})(URL.createObjectURL(film))")
        assert before["duration"] == "Infinity"
        session_id, token = exam.start("By tus-js-client")
        line.cut_at(80_000)
        page.evaluate(BY_TUS_JS_CLIENT, [f"{line.url}/sessions/{session_id}/uploads", token])
        assert line.cuts == []
        assert [one["sha256"] for one in exam.recordings(session_id)] == [sha256]
        log_in(page)
        page.goto("/blank")
        after = page.evaluate(LOOK, f"/videos/{session_id}.webm")
        assert 2 < float(after["duration"]) < 5
        assert after["seekable"] == pytest.approx(float(after["duration"]))
        seen = page.evaluate(SEEK, 0.8)
        assert seen["at"] == pytest.approx(0.8 * float(after["duration"]), abs=0.1)
        assert seen["colours"] > 5
        looked = {"object_id": session_id, "object_kind": "video", "action": "looked"}
        assert exam.database["audit_log"].count_documents(looked) == 1  # of however many ranges
