"""What is typed on the page of a session is kept, and said of what it was typed for, whatever happens meanwhile."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.browser import sittings
from tests.browser.conftest import log_in, screenshot
from tests.browser.sittings import BUSY, log, page_of, rows, said, selected, start_of

documents = sittings.documents
sit, colleague = sittings.sit, sittings.colleague


def test_two_reviewers_race_and_nothing_typed_is_lost(sit, colleague):
    sitting = sit(BUSY)
    one, other = colleague("the-reviewer"), colleague("reviewer")
    for page in (one, other):
        page.goto(page_of(sitting))
    other.keyboard.press("n")
    other.get_by_role("dialog", name="Note").get_by_label("Text").fill("Half a thought")
    one.keyboard.press("j")
    one.keyboard.press("c")
    expect(selected(one).locator(".state")).to_have_text("confirmed")

    other.get_by_role("button", name="Save note").click()
    refused = other.get_by_role("dialog", name="Note").get_by_role("alert")
    expect(refused).to_contain_text("somebody else has changed this review")
    expect(refused).to_contain_text("the-reviewer confirmed")
    expect(other.get_by_role("dialog", name="Note").get_by_label("Text")).to_have_value("Half a thought")
    expect(rows(other).filter(has_text="confirmed")).to_have_count(1)  # and sees it
    screenshot(other, "desk-session-refused", full_page=False)
    other.get_by_role("button", name="Save note").click()
    expect(other.locator(".note")).to_contain_text("Half a thought")


def test_what_was_typed_for_one_allowance_is_not_sent_for_another(sit, colleague):
    one, other = colleague("the-reviewer"), colleague("reviewer")
    one.goto(page_of(sitting := sit(BUSY)))
    for name in ("focus_lost", "looking_away", "multiple_faces"):
        one.locator("#allow > summary").click()
        one.locator("#allow-form").get_by_label("Event type").select_option(name)
        one.locator("#allow-form").get_by_label("Reason").fill("An accommodation")
        one.locator("#allow-form").get_by_role("button").click()
        expect(one.locator(".allowance").filter(has_text=name)).to_be_visible()
    other.goto(page_of(sitting))
    for page, name in ((one, "focus_lost"), (other, "looking_away")):
        page.locator("details[id^=revoke]").filter(has_text=name).locator("summary").click()
        form = page.get_by_role("dialog", name=f"Count again: {name}")
        form.get_by_label("Reason").fill(f"No {name}")
        form.get_by_role("button").click()
        expect(one.locator(".allowance")).to_have_count(2)  # first, so that the other comes too late
    form = other.get_by_role("dialog", name="Count again: looking_away")
    expect(form.get_by_role("alert")).to_contain_text("somebody else has changed this review")
    expect(form.get_by_label("Reason")).to_have_value("No looking_away")
    form.get_by_role("button").click()
    expect(other.locator(".allowance bdi")).to_have_text(["multiple_faces"])


def test_what_was_typed_for_one_incident_is_not_said_of_another(site, sit, colleague):
    """Somebody else judged more than was to be seen here, so that it is not there any more."""
    sitting = sit(BUSY, closed=False)
    one, other = colleague("the-reviewer"), colleague("reviewer")
    other.goto(page_of(sitting))
    other.get_by_role("link", name=re.compile("phone_detected")).click()
    other.keyboard.press("d")
    other.keyboard.type("A calculator")
    log(site, sitting, [(start_of(site, sitting) + timedelta(seconds=12), "phone_detected")])
    one.goto(page_of(sitting))
    one.get_by_role("link", name=re.compile("phone_detected")).click()
    one.keyboard.press("c")
    expect(selected(one).locator(".state")).to_have_text("confirmed")

    dismiss = other.get_by_role("dialog", name="Dismiss this incident")
    for words in ("somebody else has changed this review", "Select an incident first."):
        other.keyboard.press("Enter")
        expect(dismiss.get_by_role("alert")).to_contain_text(words)
        expect(dismiss).to_contain_text("No incident is selected.")
        expect(dismiss.get_by_label("Reason")).to_have_value("A calculator")
        expect(selected(other)).to_have_count(0)
    other.locator("[data-timeline=sheet]").focus()
    other.keyboard.press("c")
    expect(said(other)).to_have_text("No incident that you can confirm is selected.")
    expect(rows(other).locator(".state")).to_have_text(["open", "confirmed", "open", "open"])


def test_what_is_half_typed_outlives_what_is_stored_elsewhere_on_the_page(page, sit):
    log_in(page, "the-reviewer")
    page.goto(page_of(sit(BUSY)))
    page.keyboard.press("j")
    page.locator("#decide-form").get_by_label("Reason").fill("So far")
    page.get_by_role("radio", name="suspicious").check()
    page.keyboard.press("Escape")
    page.locator("[data-timeline=sheet]").focus()
    page.keyboard.press("a")
    expect(selected(page).locator(".state")).to_have_text("acknowledged")
    expect(page.locator("#decide-form").get_by_label("Reason")).to_have_value("So far")
    expect(page.get_by_role("radio", name="suspicious")).to_be_checked()

    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    page.reload()  # with nothing typed
    assert asked == ["beforeunload"]


def test_of_a_session_that_somebody_deleted_meanwhile_it_says_so_and_keeps_what_was_typed(sit, colleague, documents):
    sitting, page = sit(BUSY), colleague("the-reviewer")
    page.goto(page_of(sitting))
    page.keyboard.press("n")
    form = page.get_by_role("dialog", name="Note")
    form.get_by_label("Text").fill("Half a thought")
    documents["sessions"].delete_one({"_id": sitting.id})
    form.get_by_role("button", name="Save note").click()
    expect(form.get_by_role("alert")).to_contain_text("this session no longer exists")
    expect(form.get_by_label("Text")).to_have_value("Half a thought")


def test_the_form_of_the_severity_follows_the_selection_and_keeps_what_was_chosen(sit, colleague):
    sitting = sit(BUSY)
    page, other = colleague("the-reviewer"), colleague("reviewer")
    page.goto(page_of(sitting))
    other.goto(page_of(sitting))
    chosen = page.locator("#severity [name=severity]")
    for name, severity in (("looking_away", "low"), ("phone_detected", "high")):
        page.get_by_role("link", name=re.compile(name)).click()
        expect(chosen).to_have_value(severity)
    page.locator("#severity > summary").click()
    chosen.select_option("low")
    other.keyboard.press("j")
    other.keyboard.press("a")
    expect(selected(other).locator(".state")).to_have_text("acknowledged")
    page.get_by_role("button", name="Set severity").click()
    expect(page.locator("#severity").get_by_role("alert")).to_contain_text("somebody else has changed this review")
    expect(chosen).to_have_value("low")
    page.get_by_role("button", name="Set severity").click()
    expect(selected(page).locator(".severity")).to_have_text("low")
