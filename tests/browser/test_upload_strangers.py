"""A recording on its way while the server, or something before it, says no, not now, or nonsense."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import Exam, open_client
from tests.browser.impostor import Impostor, Reply, as_json
from tests.browser.test_uploads import offsets
from tests.servers import until

MIB = 1024**2
SIZE_BYTES = 3 * MIB
#: No video, but bytes: what arrives is what was sent.
MAKE_FILM = f"() => {{ window.film = new Blob([new Uint8Array({SIZE_BYTES}).fill(7)]); }}"
UPLOAD = """() => {
    window.uploaded = null;
    const refused = ({ status, code }) => (uploaded = [status, code]);
    client.upload(film).then(({ id }) => (uploaded = id), refused);
}"""
TUS = {"Tus_Resumable": "1.0.0"}
WRONG_OFFSET = {"detail": "Elsewhere.", "code": "wrong_offset"}


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def session_id(page: Page, impostor: Impostor) -> str:
    session_id = open_client(page, "Sends", visit=f"{impostor.url}/blank", longestPauseMs=50)
    page.evaluate(MAKE_FILM)
    return session_id


def from_the_third_on(impostor: Impostor) -> Callable[[bytes], bool]:
    """Of the parts, of which two are on the server then."""
    return lambda body: sum(call.startswith("PATCH ") for call in impostor.passed) >= 2


def received(exam: Exam, session_id: str) -> int:
    return exam.database["recordings"].find_one({"session_id": session_id})["offset"]


def begin(page: Page) -> None:
    page.evaluate(UPLOAD)


def outcome(page: Page) -> str | list:
    until(lambda: page.evaluate("uploaded"))
    return page.evaluate("uploaded")


class TestARecording:
    def test_goes_on_where_it_stood_whatever_else_answers(self, exam, page, impostor, session_id):
        impostor.answer("^PATCH ", Reply(503), when=from_the_third_on(impostor))
        started_at = offsets(page)
        begin(page)
        impostor.until_replied()
        stood = received(exam, session_id)
        nonsense = ("x", str(SIZE_BYTES + 1), str(stood))
        strange = [Reply(status) for status in (200, 401, 404, 409, 423, 503)]
        strange += [as_json(423, {"detail": "Locked.", "code": "locked"}, **TUS), as_json(409, WRONG_OFFSET, **TUS)]
        strange += [Reply(204, headers={"Tus-Resumable": "1.0.0", "Upload-Offset": offset}) for offset in nonsense]
        for reply in strange:
            impostor.answer("^PATCH ", reply, when=from_the_third_on(impostor))
            impostor.until_replied(6 if WRONG_OFFSET["code"] in reply.body else 2)
            assert page.evaluate("uploaded") is None
        impostor.step_aside()
        recording = exam.recording(outcome(page))
        assert (recording["size_bytes"], recording["sha256"]) == (SIZE_BYTES, recording["told_sha256"])
        assert started_at == sorted(started_at)
        assert started_at[2] == stood

    def test_of_which_only_small_pieces_come_through_is_sent_in_such(self, exam, page, impostor, session_id):
        page.evaluate("window.film = new Blob([new Uint8Array(600_000).fill(7)])")
        impostor.answer("^PATCH ", Reply(502), when=lambda body: len(body) > 200_000)
        begin(page)
        recording = exam.recording(outcome(page))
        assert (recording["size_bytes"], recording["sha256"]) == (600_000, recording["told_sha256"])

    def test_whose_token_expires_on_the_way_goes_on_with_another_one(self, exam, page, impostor, session_id):
        impostor.answer("^PATCH ", Reply(503), when=from_the_third_on(impostor))
        begin(page)
        impostor.until_replied()
        stood = received(exam, session_id)
        impostor.instead = {"Authorization": "Bearer expired"}
        impostor.step_aside()
        assert outcome(page) == [401, "invalid_token"]
        impostor.instead = {}
        started_at = offsets(page)
        begin(page)
        exam.recording(outcome(page))
        assert min(started_at) == stood > 0
        assert len(exam.recordings(session_id)) == 1
