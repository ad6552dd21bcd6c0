"""Nothing widens a page, on a phone either; and the pages around the desk, which are Django's own, have no barriers."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser import sittings
from tests.browser.barriers import serious_barriers
from tests.browser.conftest import log_in, screenshot
from tests.browser.sittings import page_of

LIST = "/admin/sessions_app/session/"
#: As long as a name may be, and nowhere to break it.
NAME = "W" * 200

#: The cells that are beside the screen, or under what can be done.
NOT_TO_BE_SEEN = """cells => {
    const [act, ...others] = cells.map((cell) => cell.getBoundingClientRect()).reverse();
    const isUnder = (box) => box.right > act.left && box.bottom > act.top && box.top < act.bottom;
    const isHidden = (box) => box.width > 0 && (box.right > innerWidth || isUnder(box));
    return others.filter(isHidden).map((box) => [box.left, box.right]);
}"""

documents, sit = sittings.documents, sittings.sit


def overflow(page: Page, width: int) -> int:
    """By how much the page is wider than its window."""
    page.set_viewport_size({"width": width, "height": 844})
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [320, 1280])  # the first is what WCAG 1.4.10 asks for
def test_a_name_without_a_blank_widens_no_page(page, sit, width):
    sitting = sit([(3, "phone_detected")], name=NAME)
    sit([(3, "phone_detected")], name=f"{NAME[1:]}R", closed=False)
    clean = sit([], name=f"C{NAME[1:]}")
    log_in(page)
    wide = {}
    for path in (
        page_of(sitting),
        f"{LIST}?q={NAME}",
        f"{LIST}queue/pass-clean/?q={quote(f'C{NAME[1:]}')}",
        f"{LIST}{sitting.id}/delete/",
        f"/sessions/{clean.id}/report.html",
        "/admin/review/policyversion/add/",
    ):
        page.goto(path)
        wide[path] = overflow(page, width)
    page.goto(f"{LIST}live/")
    row = page.locator("#live-table tbody tr").filter(has_text=f"{NAME[1:]}R").first
    expect(row).to_be_visible()
    wide["live board"] = overflow(page, width)
    row.get_by_role("button").click()
    dialog = page.locator("#live-dialog")
    wide["dialog"] = dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth")
    wide["beside the dialog"] = dialog.evaluate("dialog => dialog.getBoundingClientRect().right - innerWidth")
    assert {path for path, by in wide.items() if by > 0} == set()


def test_on_a_phone_what_can_be_done_is_within_reach_and_messages_leave_room_for_types(page, site, sit):
    sitting = sit([(3, "phone_detected")], closed=False)
    page.request.post(
        f"/sessions/{sitting.id}/events",
        data={"event_type": "looking_away", "message": "long " * 700, "data": {"pasted": "x" * 400}},
        headers=sitting.candidate,
    )
    page.request.post(f"/sessions/{sitting.id}/pause", headers=site.staff)
    log_in(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{LIST}live/")
    row = page.locator("#live-table tbody tr").filter(has_text="pause at").first
    row.scroll_into_view_if_needed()
    expect(row.get_by_role("button")).to_be_in_viewport()
    assert row.locator("th, td").evaluate_all(NOT_TO_BE_SEEN) == []
    page.goto(page_of(sitting))
    assert page.locator(".review-events td:nth-child(2)").first.bounding_box()["width"] > 100
    assert page.locator("[data-rows=events]").evaluate("rows => rows.scrollWidth - rows.clientWidth") == 0
    assert page.locator("[data-part=history] td:nth-child(2)").first.bounding_box()["width"] >= 96  # who
    screenshot(page, "desk-session-phone")
    page.set_viewport_size({"width": 320, "height": 844})  # WCAG's 1.4.10
    too_wide = "cards => cards.filter(card => card.scrollWidth > card.clientWidth).map(card => card.dataset.part)"
    assert page.locator(".card").evaluate_all(too_wide) == []


def test_why_a_job_failed_is_to_be_seen_beside_a_key_without_a_blank(page, documents):
    at = datetime.now(UTC)
    failed = {"task": "copy_file", "key": "8" * 64, "arguments": {}, "attempts": 8, "state": "failed"}
    times = dict.fromkeys(("queued_at", "not_before", "started_at", "finished_at"), at)
    why = "The storage of videos could not be reached or refused this; the log says more, under the id of this job."
    documents["jobs"].insert_one({"_id": "copies", **failed, **times, "error": why})
    log_in(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/admin/jobs/job/?q=8888")
    expect(page.locator("#result_list .field-reason")).to_have_text(why)
    assert page.locator(".results").evaluate("list => list.scrollWidth - list.clientWidth") == 0
    documents["jobs"].delete_one({"_id": "copies"})


def test_the_other_lists_and_the_index_are_without_barriers(page):
    page.goto("/admin/login/")
    barriers = [("login", found) for found in serious_barriers(page)]
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    log_in(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    for path in ("/admin/", "/admin/jobs/job/", "/admin/audit/auditrecord/", "/admin/access/apitoken/", "/"):
        page.goto(path)
        barriers += [(path, found) for found in serious_barriers(page)]
    assert barriers == []
