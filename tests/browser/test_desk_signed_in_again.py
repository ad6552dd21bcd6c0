"""Who signs in again in another tab has forms of before in this one: nothing is done by them, and that is said."""

from playwright.sync_api import Page, expect

from tests.browser import sittings
from tests.browser.conftest import log_in
from tests.browser.sittings import page_of

documents, sit = sittings.documents, sittings.sit


def sign_in_again(page: Page) -> None:
    """As far as the forms of this tab see it."""
    (known,) = (cookie for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    page.context.add_cookies([{**known, "value": "x" * 32}])


def test_the_live_board_says_that_nothing_was_done(watched, site, sit):
    page, sitting = watched.page, sit([], name="Signed Over", closed=False)
    log_in(page, "the-proctor")
    page.goto("/admin/sessions_app/session/live/")
    row = page.locator("#live-table tbody tr").filter(has_text="Signed Over")
    row.get_by_role("button").click()
    sign_in_again(page)
    page.get_by_role("dialog").get_by_label("pause").check()
    page.keyboard.press("Enter")
    expect(page.locator("#live-fault")).to_contain_text("Nothing was done")
    answer = page.request.get(f"/sessions/{sitting.id}", headers=sitting.candidate)
    assert answer.json()["state"] == "running"
    page.context.clear_cookies()
    expect(page.get_by_role("alert")).to_contain_text("You are signed out")
    assert "Signed Over" not in page.content()


def test_a_sessions_page_says_that_nothing_was_stored_and_keeps_what_was_typed(watched, sit):
    page = watched.page
    log_in(page, "the-reviewer")
    page.goto(page_of(sit([])))
    page.keyboard.press("n")
    form = page.get_by_role("dialog", name="Note")
    form.get_by_label("Text").fill("A word.")
    sign_in_again(page)
    form.get_by_role("button", name="Save note").click()
    expect(form.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(form.get_by_label("Text")).to_have_value("A word.")
