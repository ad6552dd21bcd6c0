"""A reviewer's day on the page of a session, in a real browser with real recordings."""

import json
import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from tests.browser import sittings
from tests.browser.conftest import log_in, screenshot
from tests.browser.sittings import BUSY, NAME, filmed, focused_row, log, page_of, rows, said, score, selected, start_of

documents, film = sittings.documents, sittings.film
sit, colleague = sittings.sit, sittings.colleague


def decide(page: Page, outcome: str, reason: str) -> None:
    page.get_by_role("radio", name=outcome, exact=True).check()
    page.locator("#decide-form").get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Decide").click()


def test_a_reviewers_whole_day(site, page, sit, documents, film, colleague):
    """From the list to a decision by keyboard; a second reviewer; and the decision taken back."""
    sitting = sit([*BUSY, (21, "phone_detected"), (55, "phone_detected")])
    filmed(site, sitting, documents, film)
    log_in(page, "the-reviewer")
    page.goto(f"/admin/sessions_app/session/?q={sitting.id}")
    page.locator("#result_list tbody").get_by_role("link", name=NAME).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    assert score(page) == ["27", "27"]

    for name in ("focus_lost", "phone_detected"):
        page.keyboard.press("j")
        expect(selected(page)).to_contain_text(name)
    expect(said(page)).to_have_text(re.compile(r"^phone_detected, at 0:09, open\.$"))
    assert focused_row(page) == "phone_detected"
    expect(page.locator("[data-moment]")).to_have_text("0:07")  # two seconds before it
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("c")
    expect(selected(page).locator(".state")).to_have_text("confirmed")
    assert focused_row(page) == "phone_detected"

    page.keyboard.press("j")
    page.keyboard.press("d")
    page.keyboard.type("Er schaut auf die Uhr. ساعة")
    page.keyboard.press("Enter")
    dismissed = rows(page).filter(has_text="looking_away")
    expect(dismissed.locator(".state")).to_have_text("dismissed")
    expect(dismissed).to_contain_text("ساعة")
    expect(dismissed).to_contain_text("the-reviewer")
    expect(dismissed.locator(".title")).to_have_css("text-decoration-line", "line-through")
    assert focused_row(page) == "looking_away"
    assert score(page) == ["27", "28"]

    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("a")
    expect(selected(page).locator(".state")).to_have_text("acknowledged")

    page.locator("[data-timeline=sheet]").focus()
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("i")
    form = page.get_by_role("dialog", name="Add an incident")
    expect(form.get_by_label("From")).to_have_value(re.compile(r"^0:5\d$"))
    form.get_by_label("Event type").fill("notes_detected")
    form.get_by_label("What you noticed").fill("A slip of paper")
    form.get_by_role("button", name="Add incident").click()
    expect(rows(page).filter(has_text="notes_detected")).to_contain_text("added by hand")
    expect(selected(page)).to_contain_text("notes_detected")
    assert score(page) == ["27", "18"]

    page.keyboard.press("n")
    page.get_by_role("dialog", name="Note").get_by_label("Text").fill("Ask for the room scan.")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator(".note")).to_contain_text("Ask for the room scan.")
    page.get_by_role("button", name="Assign to me").click()
    expect(said(page)).to_have_text("Assigned to the-reviewer.")

    decide(page, "violation", "A phone, and a slip of paper.")
    expect(page.locator("[data-part=head] .outcome")).to_have_text("second review required")
    expect(page.locator(".rp-hint")).to_contain_text("somebody else")
    screenshot(page, "desk-session-second-review")
    page.get_by_role("button", name="Decide").focus()
    page.keyboard.press("g")
    expect(page.get_by_role("heading", level=1)).not_to_have_text(NAME)  # what follows in the queue

    second = colleague("reviewer")
    second.goto(page_of(sitting))
    expect(second.locator(".rp-hint")).to_contain_text("the-reviewer was the first reviewer")
    decide(second, "violation", "")
    expect(second.locator("#decide-form .refused")).to_contain_text("Say why.")
    assert second.locator("#decide-form").evaluate("form => form.scrollWidth - form.clientWidth") == 0
    decide(second, "violation", "I see it, too.")
    expect(second.locator("[data-part=head] .outcome")).to_have_text("violation")
    decide(second, "not reviewed", "The wrong candidate.")
    expect(second.locator("[data-part=head] .outcome")).to_have_text("not reviewed")
    history = second.locator("[data-part=history] tbody tr").all_inner_texts()
    assert "violation → not reviewed" in history[0]
    assert "The wrong candidate." in history[0]
    assert sum("decided" in line for line in history) == 3


def test_a_key_judges_nothing_that_nobody_chose_and_a_click_anywhere_on_a_row_chooses_it(page, sit):
    log_in(page, "the-reviewer")
    page.goto(page_of(sit(BUSY)))
    expect(page.locator(".judged")).to_have_text("No incident is selected. Choose one from the list.")
    page.keyboard.press("c")
    expect(said(page)).to_have_text("No incident that you can confirm is selected.")
    for column in (".what", ".severity", ".n"):
        rows(page).filter(has_text="looking_away").locator(column).click()
        expect(selected(page)).to_contain_text("looking_away")
        rows(page).filter(has_text="focus_lost").locator(".at").click()
        expect(selected(page)).to_contain_text("focus_lost")
    rows(page).filter(has_text="phone_detected").locator(".what").click()
    assert focused_row(page) == "phone_detected"
    expect(page.locator("[data-moment]")).to_have_text("0:07")  # two seconds before it
    page.keyboard.press("c")
    expect(rows(page).locator(".state")).to_have_text(["open", "confirmed", "open", "open"])


def test_one_who_may_only_look(site, sit, colleague):
    page = colleague("the-proctor")
    page.goto(page_of(sit(BUSY, closed=False)))
    expect(rows(page)).to_have_count(4)
    expect(page.locator(".judge, #decide-form, #note")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(said(page)).to_have_text("You may view this session, but not decide on it.")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()  # but act on the sitting


def test_a_dismissed_incident_after_a_hundred_late_events(site, page, sit):
    sitting = sit(BUSY)
    log_in(page, "the-reviewer")
    page.goto(page_of(sitting))
    page.get_by_role("link", name=re.compile("phone_detected")).click()
    page.keyboard.press("d")
    page.keyboard.type("A calculator")
    page.keyboard.press("Enter")
    expect(selected(page).locator(".state")).to_have_text("dismissed")
    start = start_of(site, sitting)
    log(site, sitting, [(start + timedelta(seconds=9, milliseconds=n), "phone_detected") for n in range(100)])
    page.reload()
    phones = rows(page).filter(has_text="phone_detected")
    expect(phones).to_have_count(2)
    expect(phones.filter(has_text="A calculator").locator(".state")).to_have_text("dismissed")
    late = phones.filter(has_text="arrived after the decision")
    expect(late.locator(".state")).to_have_text("open")
    expect(late.locator(".n")).to_contain_text("100")
    screenshot(page, "desk-session-late", full_page=False)


def test_every_mark_leads_to_its_incident_also_on_another_page_or_hidden(page, sit):
    """210 incidents, of which a page of the list holds 200."""
    sitting = sit([(n * 0.25, f"kind_{n:03}") for n in range(210)])
    log_in(page, "the-reviewer")
    page.goto(page_of(sitting))
    expect(rows(page)).to_have_count(200)
    expect(page.locator("[data-moment]")).to_have_text("0:00")  # nobody asked for an incident

    click_at(page, 51)
    expect(selected(page)).to_contain_text("kind_204")
    expect(rows(page)).to_have_count(10)
    expect(page.locator("[data-moment]")).to_have_text("0:49")  # two seconds before it

    click_at(page, 49.75)
    expect(selected(page)).to_contain_text("kind_199")
    expect(page.locator("[data-moment]")).to_have_text("0:47")
    page.keyboard.press("j")
    expect(selected(page)).to_contain_text("kind_200")
    expect(page.locator("[data-moment]")).to_have_text("0:48")

    page.get_by_role("checkbox", name="only those to judge").check()
    expect(page.locator("tr[data-key]:visible")).to_have_count(1)  # these kinds weigh nothing
    click_at(page, 52)
    expect(page.locator("tr[data-key]:visible")).to_have_text(re.compile("kind_208"))
    expect(selected(page)).to_contain_text("kind_208")
    page.get_by_role("link", name="earlier").click()
    expect(selected(page)).to_contain_text("kind_199")
    expect(page.get_by_role("checkbox", name="only those to judge")).to_be_checked()
    expect(page.locator("tr[data-key]:visible")).to_have_count(1)
    page.get_by_role("checkbox", name="only those to judge").uncheck()
    page.reload()
    expect(page.locator("tr[data-key]:visible")).to_have_count(200)


def click_at(page: Page, second: float) -> None:
    """On the lane of the incidents, where this second of the minute is."""
    sheet = page.locator("[data-timeline=sheet]")
    sheet.scroll_into_view_if_needed()
    facts = json.loads(page.locator("#session-facts").text_content())
    lane = page.locator("[data-part=marks]").bounding_box()
    share = (second - facts["from"]) / (facts["until"] - facts["from"])
    page.mouse.click(lane["x"] + share * lane["width"], lane["y"] + 12)


def test_keys_can_be_switched_off_and_are_letters_in_a_field(page, sit):
    log_in(page, "the-reviewer")
    page.goto(page_of(sit(BUSY)))
    page.locator("#decide-form").get_by_label("Reason").fill("")
    page.keyboard.type("jacked")
    expect(page.locator("#decide-form").get_by_label("Reason")).to_have_value("jacked")
    page.locator("[data-timeline=sheet]").focus()
    page.keyboard.press("?")
    page.get_by_role("checkbox", name=re.compile("Single keys")).uncheck()
    for choose in (lambda: None, page.reload):
        choose()
        page.get_by_role("link", name=re.compile("phone_detected")).click()
        page.keyboard.press("a")
    expect(rows(page).filter(has_text="acknowledged")).to_have_count(0)
    expect(page.get_by_role("checkbox", name=re.compile("Single keys"), include_hidden=True)).not_to_be_checked()


def test_without_script_a_reviewer_judges_and_decides(browser, site, sit):
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    log_in(page, "the-reviewer")
    page.goto(page_of(sit(BUSY)))
    page.get_by_role("link", name=re.compile("phone_detected")).click()
    page.get_by_role("button", name="Confirm").click()
    expect(selected(page).locator(".state")).to_have_text("confirmed")
    page.get_by_role("radio", name="suspicious").check()
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#decide-form .refused")).to_contain_text("Say why.")
    expect(page.get_by_role("radio", name="suspicious")).to_be_checked()
    context.close()
