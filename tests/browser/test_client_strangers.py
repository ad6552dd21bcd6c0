"""What the client's module makes of answers that are none of the server's: they say nothing about what was sent."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import Exam, log, numbers, open_client
from tests.browser.impostor import Impostor, Reply, impostor_before
from tests.servers import until


def as_json(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body), "application/json")


#: To a batch of one event.
STRANGE = [
    Reply(200),
    Reply(200, ""),
    Reply(204, ""),
    *(as_json(200, body) for body in ("ok", 1, [], {}, {"status": "ok"})),
    as_json(200, {"created": None, "duplicate": [], "rejected": []}),
    as_json(200, {"created": [], "duplicate": [], "rejected": []}),
    as_json(200, {"created": [{"index": 0, "id": "someone else's"}], "duplicate": [], "rejected": []}),
    as_json(200, {"created": [None], "duplicate": [], "rejected": [None]}),
    as_json(200, {"created": [], "duplicate": [], "rejected": [{"index": 0, "code": "invalid"}]}),
    as_json(200, {"detail": "gone", "code": "session_closed"}),
    as_json(201, {}),
    Reply(302, location="/portal"),
    Reply(307, location="/portal"),
    *(Reply(status) for status in (401, 403, 404, 407, 409, 410, 413, 422, 451, 500, 502, 511)),
    as_json(401, {"message": "Unauthorized"}),
    as_json(403, {"code": "forbidden", "message": "Blocked."}),
    as_json(404, {"detail": "Not Found"}),
    as_json(404, {"code": "not_found"}),
    as_json(404, {"detail": ["x"], "code": "not_found"}),
    as_json(409, {"code": "session_closed"}),
    as_json(413, {"code": 413, "detail": "too large"}),
]


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def impostor(exam: Exam) -> Iterator[Impostor]:
    with impostor_before(exam.url) as impostor:
        yield impostor


def open_through(impostor: Impostor, page: Page, name: str, **options: object) -> str:
    return open_client(page, name, visit=f"{impostor.url}/blank", **{"longestPauseMs": 50, **options})


def until_answered(page: Page) -> None:
    until(lambda: page.evaluate("client.waiting") == 0)


def told(page: Page, name: str) -> list:
    return page.evaluate("(name) => told[name]", name)


class TestAnEvent:
    def test_is_kept_and_sent_again_whatever_else_answers(self, exam, page, impostor):
        session_id = open_through(impostor, page, "Strange answers")
        for n, reply in enumerate(STRANGE):
            impostor.answer("/events/batch", reply)
            log(page, 1, data={"n": n})
            impostor.until_replied()
            assert page.evaluate("[client.waiting, client.stopped, client.isConnected]") == [1, None, False], reply
            impostor.step_aside()
            exam.until_stored(session_id, n + 1)
            until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(len(STRANGE)))
        assert told(page, "rejected") == told(page, "stopped") == []
        assert not [call for call in impostor.passed if "portal" in call]
