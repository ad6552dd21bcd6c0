"""What the client's module does when the browser's disk fails, hangs, is cleared or taken away in the middle."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.exams import log, numbers, open_client, until_answered
from tests.servers import until

#: Longer than a test: what is logged then waits for something else than the loop.
NEVER_MS = 600_000
ASK_TO_DELETE = """() => new Promise((resolve) => {
    const asked = indexedDB.deleteDatabase("proctoring-client");
    asked.onsuccess = () => resolve("deleted");
    asked.onblocked = () => resolve("blocked");
})"""
#: A page that has the database, and gives it to nobody: who opens it waits for the deletion that waits for this page.
HOLD = """() => new Promise((resolve) => {
    indexedDB.open("proctoring-client", 1).onsuccess = ({ target }) => {
        window.held = target.result;
        resolve();
    };
})"""
#: A transaction that does not end, as of a page that was frozen in the middle of one.
HOLD_A_TRANSACTION = """() => new Promise((resolve) => {
    indexedDB.open("proctoring-client", 1).onsuccess = ({ target }) => {
        const store = target.result.transaction(["sessions", "events"], "readwrite").objectStore("events");
        const again = () => window.isReleased || (store.count().onsuccess = again);
        again();
        resolve();
    };
})"""
#: As Chromium says it when the disk is full.
FULL_DISK = """
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (...given) {
        if (window.isFull) throw new DOMException("", "QuotaExceededError");
        return put.apply(this, given);
    };
"""
ON_DISK = """() => new Promise((resolve) => {
    const opening = indexedDB.open("proctoring-client", 1);
    opening.onupgradeneeded = () => opening.transaction.abort(); // it is not there, and this is not to make it
    opening.onerror = () => resolve([0, 0]);
    opening.onsuccess = ({ target }) => {
        const transaction = target.result.transaction(["sessions", "events"]);
        const rows = ["sessions", "events"].map((name) => transaction.objectStore(name).count());
        transaction.oncomplete = () => {
            target.result.close();
            resolve(rows.map((row) => row.result));
        };
    };
})"""


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


def other_page(visitor: BrowserContext) -> Page:
    other = visitor.new_page()
    other.goto("/blank")
    return other


class TestADisk:
    def test_that_another_page_deletes_is_given_up_and_written_anew(self, exam, visitor, page):
        session_id = open_client(page, "Deleted")
        visitor.route("**/events/batch", lambda route: route.abort())
        log(page, 5)
        other = other_page(visitor)
        assert other.evaluate(ASK_TO_DELETE) == "deleted"
        until(lambda: other.evaluate(ON_DISK) == [1, 5])
        page.close()
        visitor.unroute("**/events/batch")
        assert open_client(other, "resume") == session_id
        until_answered(other)
        assert sorted(numbers(exam.events(session_id))) == list(range(5))
        assert other.evaluate("client.end()") == "ended"

    def test_that_the_browser_clears_is_written_anew(self, exam, visitor, page):
        session_id = open_client(page, "Cleared", gatherMs=NEVER_MS)
        log(page, 3)
        asked = {"origin": exam.url, "storageTypes": "indexeddb"}
        visitor.new_cdp_session(page).send("Storage.clearDataForOrigin", asked)
        log(page, 2)
        until(lambda: page.evaluate(ON_DISK)[0] == 1)
        page.close()
        page = visitor.new_page()
        assert open_client(page, "resume") == session_id
        until_answered(page)
        assert exam.stored(session_id) == 5

    def test_that_does_not_open_holds_up_neither_the_start_nor_an_event(self, exam, visitor, page):
        assert other_page(visitor).evaluate(HOLD) is None
        assert other_page(visitor).evaluate(ASK_TO_DELETE) == "blocked"
        session_id = open_client(page, "Does not open")
        log(page, 3)
        exam.until_stored(session_id, 3)
        until(lambda: page.evaluate("told.warning") == [{"reason": "memory_only"}])
        page.evaluate("client.heartbeat()")
        assert page.evaluate("client.end()") == "ended"

    def test_that_hangs_holds_up_no_event(self, exam, visitor, page):
        session_id = open_client(page, "Hangs")
        log(page, 1)
        until_answered(page)
        other = other_page(visitor)
        other.evaluate(HOLD_A_TRANSACTION)
        page.evaluate("client.log('paste'); undefined")
        exam.until_stored(session_id, 2)
        assert page.evaluate("told.warning") == [{"reason": "memory_only"}]
        other.evaluate("window.isReleased = true")
        page.evaluate("client.log('paste'); undefined")
        exam.until_stored(session_id, 3)
        assert page.evaluate("client.end()") == "ended"

    def test_that_is_full_loses_nothing_and_takes_up_again_what_it_refused(self, exam, visitor, page):
        page.add_init_script(FULL_DISK)
        session_id = open_client(page, "Full")
        visitor.set_offline(True)
        page.evaluate("window.isFull = true")
        log(page, 3)
        until(lambda: page.evaluate("told.warning") == [{"reason": "memory_only"}])
        page.evaluate("window.isFull = false")
        log(page, 1, data={"n": 3})
        assert page.evaluate(ON_DISK) == [1, 4]
        page.close()
        visitor.set_offline(False)
        page = visitor.new_page()
        assert open_client(page, "resume") == session_id
        until_answered(page)
        assert sorted(numbers(exam.events(session_id))) == list(range(4))

    def test_that_is_full_at_the_start_has_the_session_once_there_is_room(self, exam, visitor, page):
        page.add_init_script(FULL_DISK + "window.isFull = true;")
        session_id = open_client(page, "Full at the start")
        log(page, 1)
        until_answered(page)
        page.evaluate("window.isFull = false")
        log(page, 1)
        page.close()
        page = visitor.new_page()
        assert open_client(page, "resume") == session_id
        until_answered(page)
        assert exam.stored(session_id) == 2
