"""The module of the client in a real browser, on a real site that fails in every way: nothing is lost or doubled."""

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import Exam, log, numbers, open_client, told, until_answered
from tests.servers import until

LOST = {"isConnected": False, "reason": "no_answer"}
#: What the example of docs/client.md takes for granted: somebody's exam, of the candidate that the address names.
EXAM = """<!doctype html><title>x</title><script>
    const says = (name) => (...what) => exam.said.push([name, ...what]);
    const exam = { said: [], candidate: new URLSearchParams(location.search).get("name") };
    for (const name of ["show", "showWaiting", "close", "showProgress", "say", "askForToken"]) exam[name] = says(name);
    exam.cameraWorks = () => true;
    exam.recording = () => new Blob(["no video"]);
</script>"""
#: As where somebody blocks all cookies.
NO_LOCKS = "LockManager.prototype.request = async () => { throw new DOMException('denied', 'SecurityError'); };"
#: How many sessions this browser has not forgotten.
KEPT_HERE = """new Promise((resolve) => {
    const opening = indexedDB.open("proctoring-client");
    opening.onsuccess = () => {
        const counting = opening.result.transaction("sessions").objectStore("sessions").count();
        counting.onsuccess = () => resolve(counting.result, opening.result.close());
    };
})"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def front_end(exam: Exam, tmp_path: Path) -> Iterator[str]:
    """An empty page that is really served by somebody else."""
    (tmp_path / "index.html").write_text("<!doctype html><title>x</title>")
    serves = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", urlsplit(exam.front_end).port), serves) as server:
        Thread(target=server.serve_forever).start()
        yield exam.front_end
        server.shutdown()


def batches(page: Page) -> list:
    """The requests that carry events, as they come; look after `until_answered`, which hears of them all."""
    seen = []
    page.on("request", lambda request: seen.append(request) if "/events" in request.url else None)
    return seen


class TestDelivering:
    def test_what_was_logged_offline_arrives_once_and_in_order(self, exam, visitor, page):
        session_id = open_client(page, "Offline")
        visitor.set_offline(True)
        log(page, 30)
        until(lambda: told(page, "connection") == [LOST])
        assert exam.stored(session_id) == 0
        assert page.evaluate("client.waiting") == 30
        visitor.set_offline(False)
        exam.until_stored(session_id, 30)
        events = sorted(exam.events(session_id), key=lambda event: event["sequence"])
        assert numbers(events) == list(range(30))
        assert [event["sequence"] for event in events] == list(range(1, 31))
        instants = [event["occurred_at"] for event in events]
        assert instants == sorted(instants)
        until_answered(page)
        assert told(page, "connection") == [LOST, {"isConnected": True, "reason": None}]
        assert told(page, "rejected") == []

    def test_a_burst_goes_in_batches(self, exam, page):
        session_id = open_client(page, "Burst")
        requests = batches(page)
        log(page, 400)
        until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(400))
        assert len(requests) <= 5
        assert {request.url for request in requests} == {f"{exam.url}/sessions/{session_id}/events/batch"}

    def test_more_than_a_batch_takes_is_split(self, exam, visitor, page):
        session_id = open_client(page, "More than a batch")
        requests = batches(page)
        page.evaluate("setInterval(() => dispatchEvent(new Event('beforeunload')), 100); undefined")
        visitor.set_offline(True)
        with page.expect_event("requestfailed"):  # as other browsers break it off when somebody leaves
            log(page, 620, message="ü" * 700)
        visitor.set_offline(False)
        until_answered(page)
        assert told(page, "connection") == []
        assert sorted(numbers(exam.events(session_id))) == list(range(620))
        assert max(len(request.post_data_buffer) for request in requests) < 1024**2

    def test_a_refused_event_is_reported_and_dropped_and_the_others_arrive(self, exam, page):
        session_id = open_client(page, "Refused")
        page.evaluate("client.batch([{event_type: 'paste'}, {event_type: 7}, {event_type: 'no_face'}])")
        exam.until_stored(session_id, 2)
        until(lambda: told(page, "rejected"))
        (rejected,) = told(page, "rejected")
        assert (rejected["event"]["event_type"], rejected["code"]) == (7, "invalid")
        assert "event_type" in rejected["fields"]
        requests = batches(page)
        log(page, 1)
        exam.until_stored(session_id, 3)
        until_answered(page)
        assert len(requests) == 1
        assert [event["event_type"] for event in requests[0].post_data_json["events"]] == ["focus_lost"]

    def test_ids_are_uuids_in_the_order_of_logging_also_in_an_older_browser_that_makes_none(self, exam, page):
        page.add_init_script("Crypto.prototype.randomUUID = AbortSignal.timeout = undefined")
        session_id = open_client(page, "Older browser")
        log(page, 20)
        exam.until_stored(session_id, 20)
        version_7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        events = exam.events(session_id)
        assert len({event["id"] for event in events}) == 20
        assert all(re.fullmatch(version_7, event["id"]) for event in events)
        assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)

    @pytest.mark.parametrize("also", ["", NO_LOCKS], ids=["alone", "and locks"])
    def test_without_indexeddb_it_warns_and_delivers_all_the_same(self, exam, page, also):
        page.add_init_script(f"Object.defineProperty(window, 'indexedDB', {{ value: undefined }}); {also}")
        session_id = open_client(page, "No place to write")
        log(page, 3)
        exam.until_stored(session_id, 3)
        assert told(page, "warning") == [{"reason": "memory_only"}]
        assert page.evaluate("client.end()") == "ended"

    def test_it_works_from_a_page_of_another_origin(self, exam, front_end, page):
        session_id = open_client(page, "From elsewhere", base=exam.url, visit=front_end)
        log(page, 2)
        page.evaluate("client.heartbeat(() => ({ camera: true }))")
        until(lambda: told(page, "state") == [{"state": "running"}])
        recording = exam.recording(page.evaluate("client.upload(new Blob(['no video']))")["id"])
        assert (recording["state"], recording["told_name"]) == ("rejected", "recording.webm")
        assert page.evaluate("client.end()") == "ended"
        assert exam.stored(session_id) == 2
        assert exam.session(session_id)["state"] == "ended"

    def test_the_example_of_its_documentation_works_and_lets_nobody_sit_in_the_session_of_another(
        self, exam, front_end, visitor, page, tmp_path
    ):
        (example,) = re.findall(r"```html\n(.*?)```", (settings.BASE_DIR / "docs/client.md").read_text(), re.DOTALL)
        (tmp_path / "exam.html").write_text(EXAM + example.replace("https://proctoring.example.org", exam.url))

        def sit(page: Page, name: str) -> str:
            page.goto(f"{front_end}/exam.html?name={name}")
            newest = {"candidate_name": name}
            until(lambda: (found := exam.database["sessions"].find_one(newest)) and exam.stored(found["_id"]))
            return exam.database["sessions"].find_one(newest)["_id"]

        def said(page: Page, name: str) -> list:
            return page.evaluate("(name) => exam.said.filter(([said]) => said === name)", name)

        ada = sit(page, "Ada-of-the-docs")
        page.reload()
        exam.until_stored(ada, 2)
        page.close()
        page = visitor.new_page()
        bob = sit(page, "Bob-of-the-docs")
        until(lambda: exam.session(ada)["state"] == "ended")
        assert exam.stored(bob) == 1
        exam.act(bob, "terminate", reason_code="other", reason="Enough.")
        until(lambda: said(page, "close"))
        assert said(page, "show") == [["show", "terminate", "Enough."]]
        assert said(page, "close") == [["close", "terminated"]]
        until(lambda: page.evaluate(KEPT_HERE) == 0)
        assert len(exam.recordings(bob)) == 1
        page.reload()
        until(lambda: exam.database["sessions"].count_documents({"candidate_name": "Bob-of-the-docs"}) == 2)

    def test_who_starts_twice_at_once_has_one_session(self, exam, page):
        page.goto("/blank")
        came_to = page.evaluate(
            """async () => {
                const { ProctoringClient } = await import("/static/proctoring-client.js");
                const client = new ProctoringClient();
                const both = await Promise.allSettled([client.start("Clicked twice"), client.start("Clicked twice")]);
                return both.map(({ status }) => status);
            }"""
        )
        assert came_to == ["fulfilled", "rejected"]
        assert exam.database["sessions"].count_documents({"candidate_name": "Clicked twice"}) == 1

    def test_what_is_logged_before_there_is_a_session_is_not_lost_unseen(self, exam, page):
        page.goto("/blank")
        refusals = page.evaluate(
            """async () => {
                const { ProctoringClient } = await import("/static/proctoring-client.js");
                const session = await new ProctoringClient().start("Too soon");
                const [client, why] = [new ProctoringClient({ gatherMs: 20 }), ({ message }) => message];
                const adopted = client.adopt(session);
                const soon = [client.log("too_soon"), client.heartbeat(), client.upload(new Blob()), client.end()];
                const refusals = await Promise.all(soon.map((one) => one.then(() => null, why)));
                await adopted;
                await Promise.all([client.log("first"), client.log("second"), client.end()]);
                const bare = new ProctoringClient().adopt({ id: session.id }).then(() => null, why);
                return [session.id, ...refusals, await bare];
            }"""
        )
        session_id, *refusals = refusals
        assert refusals[:4] == ["This client has no session yet: wait for start, adopt or resume."] * 4
        assert refusals[4:] == ["This is not the answer to POST /sessions: it has no id, or no token."]
        assert exam.types(session_id) == ["first", "second"]
