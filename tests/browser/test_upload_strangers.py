"""A recording on its way while the server, or something before it, says no, not now, or nonsense."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import open_client
from tests.browser.impostor import Impostor, Reply, as_json
from tests.browser.test_uploads import offsets
from tests.servers import until

MIB = 1024**2
SIZE_BYTES, PART_BYTES = 11 * MIB, 5 * MIB
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


def is_second(body: bytes) -> bool:
    """The last part; the one before it is on the server then."""
    return 0 < len(body) < PART_BYTES


def begin(page: Page) -> None:
    page.evaluate(UPLOAD)


def outcome(page: Page) -> str | list:
    until(lambda: page.evaluate("uploaded"))
    return page.evaluate("uploaded")


class TestARecording:
    def test_goes_on_where_it_stood_whatever_else_answers(self, exam, page, impostor, session_id):
        nonsense = ("x", str(SIZE_BYTES + 1), str(2 * PART_BYTES))
        strange = [Reply(status) for status in (200, 401, 404, 409, 423, 503)]
        strange += [as_json(423, {"detail": "Locked.", "code": "locked"}, **TUS), as_json(409, WRONG_OFFSET, **TUS)]
        strange += [Reply(204, headers={"Tus-Resumable": "1.0.0", "Upload-Offset": offset}) for offset in nonsense]
        impostor.answer("^PATCH ", strange[0], when=is_second)
        started_at = offsets(page)
        begin(page)
        for reply in strange:
            impostor.answer("^PATCH ", reply, when=is_second)
            impostor.until_replied(6 if WRONG_OFFSET["code"] in reply.body else 2)
            assert page.evaluate("uploaded") is None
        impostor.step_aside()
        recording = exam.recording(outcome(page))
        assert (recording["size_bytes"], recording["sha256"]) == (SIZE_BYTES, recording["told_sha256"])
        assert set(started_at) == {0, PART_BYTES, 2 * PART_BYTES}
        assert started_at[:3] == sorted(started_at)[:3]

    def test_whose_token_expires_on_the_way_goes_on_with_another_one(self, exam, page, impostor, session_id):
        impostor.answer("^PATCH ", Reply(503), when=is_second)
        begin(page)
        impostor.until_replied()
        impostor.instead = {"Authorization": "Bearer expired"}
        impostor.step_aside()
        assert outcome(page) == [401, "invalid_token"]
        impostor.instead = {}
        started_at = offsets(page)
        begin(page)
        exam.recording(outcome(page))
        assert started_at == [2 * PART_BYTES]
        assert len(exam.recordings(session_id)) == 1
