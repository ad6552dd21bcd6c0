"""The candidate's page by a link from staff: another computer, an expired token, an exam that is another one."""

import re
from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import log_in, screenshot
from tests.browser.exams import Exam
from tests.browser.test_candidate import PARTS, end, expect_done, start
from tests.browser.test_candidate_strangers import LONG_EXPIRED
from tests.browser.test_client_visits import WRONG_CLOCK
from tests.servers import PATIENCE_S, until

BLUR = "window.dispatchEvent(new Event('blur'))"


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def other_computer(browser: Browser, exam: Exam) -> Iterator[Page]:
    with browser.new_context(base_url=exam.url, viewport={"width": 400, "height": 800}) as context:
        yield context.new_page()


@pytest.fixture
def expiring(visitor: BrowserContext) -> Callable[[], set[str]]:
    """`expiring()`: from now on the server takes none of the tokens that this browser has sent so far for good. Which
    those are."""
    seen = set()
    visitor.on("request", lambda request: seen.add(request.headers.get("authorization", "").removeprefix("Bearer ")))

    def expire():
        expired = seen - {""}

        def send(route):
            headers = route.request.headers
            is_stale = headers.get("authorization", "").removeprefix("Bearer ") in expired
            route.continue_(headers=headers | ({"authorization": "Bearer pc.expired"} if is_stale else {}))

        visitor.route("**/sessions/**", send)
        return expired

    return expire


def link(exam: Exam, session_id: str, *, unlike: Container[str] = (), **altered: str) -> str:
    """`unlike`: with a token that is none of these; two of the same second are the same."""

    def token() -> dict[str, str]:
        path = f"{exam.url}/sessions/{session_id}/token"
        given = httpx.post(path, headers=exam.staff, timeout=PATIENCE_S).raise_for_status().json()
        return {"token": given["token"], "until": given["token_expires_at"]}

    until(lambda: token()["token"] not in unlike)
    return f"/candidate/#{urlencode({'session': session_id, **token(), **altered})}"


def test_a_candidate_whose_computer_breaks_goes_on_at_another_one(exam, browser, page, other_computer):
    session_id = start(page, exam, "Two computers")
    exam.until_stored(session_id, 1)
    until(lambda: page.evaluate(PARTS, session_id) == 1)
    page.goto("/candidate/blank")
    began = datetime.now(UTC) - timedelta(minutes=10)  # else the second would begin where the first could not have been
    exam.database["sessions"].update_one({"_id": session_id}, {"$set": {"start_time": began}})

    with browser.new_context(base_url=exam.url, viewport={"width": 1280, "height": 900}) as context:
        desk = context.new_page()
        log_in(desk, "the-operator")
        desk.goto(f"/admin/sessions_app/session/{session_id}/change/")
        screenshot(desk, "role-operator-link-offered")
        desk.get_by_role("button", name="Make a link").click()
        expect(desk.get_by_role("heading", name="Link for Two computers")).to_be_visible()
        given = desk.locator("#link").input_value()
        desk.get_by_role("button", name="Copy the link").click()
        expect(desk.get_by_role("status")).to_have_text("Copied.")
        screenshot(desk, "role-operator-link")

    other_computer.add_init_script(WRONG_CLOCK.replace("OFF_MS", "45_000"))
    other_computer.goto(given)
    expect(other_computer.get_by_text("You are continuing an exam that began in another browser.")).to_be_visible()
    assert other_computer.evaluate("location.href") == f"{exam.url}/candidate/"
    expect(other_computer.get_by_label("Your name")).to_have_value("Two computers")
    screenshot(other_computer, "candidate-handed-over")
    other_computer.reload()  # as after a camera that was not allowed; it must not lead to a session of its own
    expect(other_computer.get_by_label("Your name")).to_have_value("Two computers")
    other_computer.get_by_role("button", name="Continue").click()  # without the consent nothing begins
    other_computer.get_by_label("I have read what is recorded").check()
    other_computer.get_by_role("button", name="Continue").click()
    expect(other_computer.get_by_text("Recording", exact=True)).to_be_visible()
    expect(other_computer.locator("#elapsed")).to_have_text(re.compile(r"^1\d:\d\d$"))
    until(lambda: other_computer.evaluate(PARTS, session_id) == 1)
    end(other_computer)
    expect_done(other_computer)

    page.goto("/candidate/")  # the first computer runs again
    page.get_by_role("button", name="End the exam").first.click()
    expect_done(page)
    events = [event for event in exam.events(session_id) if event["sequence"]]  # a long silence is the server's to log
    types = [event["event_type"] for event in events if not event["event_type"].startswith("focus")]
    assert types == ["sitting_started", "browser_changed", "sitting_ended", "sitting_ended"]
    assert len({event["sequence"] for event in events}) == len(events)
    assert exam.database["sessions"].count_documents({"candidate_name": "Two computers"}) == 1
    (changed,) = [event for event in events if event["event_type"] == "browser_changed"]
    changed_s = (datetime.fromisoformat(changed["occurred_at"]) - began).total_seconds()
    later, earlier = [one["start_offset_s"] for one in exam.recordings(session_id)]
    assert earlier < 600 < later
    assert abs(later - changed_s) < 20  # where the timeline has it, though that computer's clock is off


def test_a_page_whose_permission_has_expired_goes_on_by_a_link_in_its_tab(exam, page, expiring):
    session_id = start(page, exam, "Expires")
    exam.until_stored(session_id, 1)
    expired = expiring()
    page.evaluate(BLUR)
    expect(page.get_by_role("alert")).to_contain_text("The permission for this exam has expired.")
    page.goto(link(exam, session_id, token="pc.cut"))
    expect(page.get_by_role("alert")).to_contain_text("This link cannot be used")
    page.goto(link(exam, exam.start("Somebody else")[0]))
    expect(page.get_by_role("alert")).to_contain_text("The link that was opened is for another exam.")
    page.goto(link(exam, session_id, unlike=expired))
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    assert page.evaluate("location.hash") == ""
    until(lambda: page.evaluate(PARTS, session_id) == 1)
    expired = expiring()
    page.context.route(f"**/sessions/{session_id}", lambda route: route.abort())
    page.goto(link(exam, session_id, unlike=expired))
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    end(page)
    expect(page.get_by_role("heading", name="Not everything was sent")).to_be_visible()
    page.evaluate(LONG_EXPIRED)
    page.context.unroute(f"**/sessions/{session_id}")
    expect_done(page)
    assert [exam.types(session_id)[at] for at in (0, -1)] == ["sitting_started", "sitting_ended"]
    assert exam.types(session_id).count("focus_lost") == 1
    assert len(exam.recordings(session_id)) == 1


def test_a_link_that_does_not_fit_loses_nothing_and_mixes_nothing(exam, visitor, page):
    asked, _ = exam.start("Link")
    for token in ("pc.cut", "pc.cut\nin two", exam.staff["Authorization"].removeprefix("Bearer ")):
        page.goto(link(exam, asked, token=token))
        expect_done(page, "This link cannot be used", "Nothing to continue")
        page.locator("#done-text").evaluate("(said) => said.replaceChildren()")  # the next one has to say it anew
    page.goto("/candidate/")
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    session_id = start(page, exam, "Was here")
    other_tab = visitor.new_page()
    other_tab.goto(link(exam, asked))
    expect(other_tab.get_by_role("heading", name="Your exam is open in another tab")).to_be_visible()
    page.close()
    page = other_tab
    expect(page.get_by_role("heading", name="Which exam?")).to_be_visible()
    screenshot(page, "candidate-which-exam")
    page.get_by_role("button", name="Continue with the other one").click()
    expect(page.get_by_role("strong").get_by_text("Was here")).to_be_visible()
    page.goto("/candidate/blank")
    page.goto(link(exam, asked))
    page.get_by_role("button", name="Continue with the exam of the link").click()
    page.get_by_label("I have read what is recorded").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Exam of Link")).to_be_visible()
    page.reload()
    expect(page.get_by_role("strong").get_by_text("Link", exact=True)).to_be_visible()
    page.get_by_role("button", name="End the exam").first.click()
    expect_done(page)
    page.goto("/candidate/blank")
    page.goto(link(exam, asked))
    expect(page.get_by_role("alert")).to_contain_text("The exam of Link is over")
    page.get_by_role("button", name="End the exam").first.click()
    expect_done(page)
    assert [exam.types(one)[0] for one in (asked, session_id)] == ["browser_changed", "sitting_started"]
    assert [exam.types(one).count("sitting_ended") for one in (asked, session_id)] == [1, 1]
    page.goto("/candidate/blank")
    page.goto(link(exam, asked))
    expect_done(page, "The exam of Link is over", "Nothing to continue")
    exam.database["sessions"].update_one({"_id": asked}, {"$unset": {"candidate_name": ""}})  # as an adopted one may be
    page.goto("/candidate/blank")
    page.goto(link(exam, asked))
    expect_done(page, "The exam of (no name) is over", "Nothing to continue")
