"""The admin as each group meets it, in a real browser; and the audit log afterwards, which names each look."""

import pytest
from playwright.sync_api import Page, expect

from proctoring_site.launch import demo
from tests.browser.conftest import log_in, screenshot

INDEX, SESSIONS, AUDIT_LOG = "/admin/", "/admin/sessions_app/session/", "/admin/audit/auditrecord/"


def page_of(session_id: str) -> str:
    return f"{SESSIONS}{session_id}/change/"


def models_on(page: Page) -> set[str]:
    """What the index offers."""
    return set(page.locator("#content-main th a, #content-main th[scope=row]").all_inner_texts())


def columns_on(page: Page) -> set[str]:
    return {heading.strip().lower() for heading in page.locator("#result_list thead th").all_inner_texts()} - {""}


@pytest.mark.parametrize(
    ("group", "offered"),
    [
        ("Reviewer", {"Sessions", "Policies"}),
        ("Proctor", {"Sessions"}),
        ("Operator", {"Sessions", "API tokens", "Jobs"}),
        ("Auditor", {"Audit records"}),
    ],
)
def test_the_index_offers_what_the_group_may_see(page, group, offered):
    log_in(page, f"the-{group.lower()}")
    page.goto("/admin/")
    assert models_on(page) == offered
    screenshot(page, f"role-{group.lower()}-index")


def test_a_reviewer_sees_score_video_events_and_report(page):
    log_in(page, "the-reviewer")
    page.goto(f"{SESSIONS}?show=all")
    assert {"integrity score", "risk band", "events", "video", "report"} <= columns_on(page)
    screenshot(page, "role-reviewer-list")
    page.goto(page_of(demo.BUSY))
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    expect(page.locator(".review-events tbody tr")).to_have_count(9)
    assert page.goto(f"/sessions/{demo.BUSY}/report.html").status == 200


def test_a_proctor_sees_only_what_runs(watched):
    page = watched.page
    log_in(page, "the-proctor")
    page.goto(SESSIONS)
    assert "report" not in columns_on(page)
    screenshot(page, "role-proctor-list")
    names = page.locator("#result_list .field-name")
    expect(names.filter(has_text="Björn")).to_have_count(0)
    page.goto(f"{SESSIONS}?q=Chioma")  # other tests' sittings may fill the first page
    expect(names.filter(has_text="Chioma")).to_have_count(1)
    page.goto(f"{SESSIONS}?q=Björn")
    expect(names).to_have_count(0)
    page.goto(page_of(demo.RUNNING))
    expect(page.locator(".review-events tbody tr")).to_have_count(3)
    for hidden in (f"/sessions/{demo.BUSY}/report.html", f"/videos/{demo.BUSY}.webm"):
        assert page.goto(hidden).status == 404
    screenshot(page, "role-proctor-not-found")


def test_an_operator_sees_that_there_are_sessions_and_nothing_of_what_happened(page):
    log_in(page, "the-operator")
    page.goto(SESSIONS)
    assert not {"integrity score", "risk band", "events", "video", "report"} & columns_on(page)
    page.goto(page_of(demo.BUSY))
    expect(page.locator("video, .numbers, .review-events")).to_have_count(0)
    expect(page.locator("a.deletelink")).to_be_visible()
    screenshot(page, "role-operator-session")


def test_the_audit_log_names_each_look(page, browser, site):
    log_in(page, "the-reviewer")
    page.goto(page_of(demo.CALM))
    page.goto(f"/sessions/{demo.CALM}/report.html")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=site.url)
    auditors = context.new_page()
    log_in(auditors, "the-auditor")
    auditors.goto(f"{AUDIT_LOG}?q=the-reviewer")
    rows = auditors.locator("#result_list tbody tr").filter(has_text=demo.CALM)
    expect(rows.filter(has_text="looked").filter(has_text="session").first).to_be_visible()
    expect(rows.filter(has_text="looked").filter(has_text="report").first).to_be_visible()
    screenshot(auditors, "role-auditor-log")
    assert auditors.goto(page_of(demo.CALM)).status == 404
    context.close()
