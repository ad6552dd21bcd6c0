"""What people see: start page, documentation, the review pages of the admin, and a report."""

import re

import pytest
from playwright.sync_api import Page, expect

from proctoring_site.launch import demo
from tests.browser.barriers import serious_barriers
from tests.browser.conftest import log_in, screenshot

SESSIONS = "/admin/sessions_app/session/"


def names_in_the_list(page: Page) -> list[str]:
    return page.locator("#result_list .field-name").all_inner_texts()


def test_the_start_page_leads_to_admin_api_and_docs(page):
    page.goto("/")
    expect(page.locator("h1")).to_have_text("Proctoring backend")
    hrefs = [link.get_attribute("href") for link in page.locator("a").all()]
    assert {"/admin/", "/docs"} <= set(hrefs)
    screenshot(page, "start")
    for href in hrefs:
        assert page.request.get(href).status == 200


def test_the_docs_show_every_route(page):
    page.goto("/docs")
    for path in ("/sessions/{id}/video", "/sessions/{id}/report.csv", "/videos/{name}"):
        shown = path.replace("/", "/\u200b")
        expect(page.locator(".opblock-summary-path").filter(has_text=shown).first).to_be_visible()
    assert {found.partition(":")[0] for found in serious_barriers(page)} <= {"nested-interactive"}  # Swagger's own
    screenshot(page, "docs")


class TestTheAdmin:
    @pytest.fixture(autouse=True)
    def _logged_in(self, page):
        log_in(page)

    def test_lists_the_sessions_with_score_and_band(self, page):
        page.goto(f"{SESSIONS}?q=demo")
        rows = page.locator("#result_list tbody tr")
        expect(rows).to_have_count(3)
        busy = rows.filter(has_text="Björn Example")
        expect(busy.locator(".field-integrity_score")).to_have_text("34")
        expect(busy.locator(".field-risk_band")).to_have_text("high")
        screenshot(page, "admin-list")
        busy.get_by_role("link", name="watch").click()
        expect(page.get_by_label("Camera recording")).to_be_in_viewport()
        assert "_changelist_filters=q%3Ddemo" in page.url

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("state=running", "Chioma Example"),
            ("band=high", "Björn Example"),
            ("band=low", "Ada Example (demo"),
            ("video=yes", "Björn Example"),
        ],
    )
    def test_filters_the_list(self, page, query, name):
        page.goto(f"{SESSIONS}?q=demo&{query}")
        (found,) = names_in_the_list(page)
        assert found.startswith(name)

    def test_filters_by_a_click(self, page):
        page.goto(f"{SESSIONS}?q=demo")
        page.locator("#changelist-filter").get_by_role("link", name="high", exact=True).click()
        page.wait_for_url(re.compile("band=high"))
        assert [name.partition(" ")[0] for name in names_in_the_list(page)] == ["Björn"]
        screenshot(page, "admin-filtered")

    def test_opens_a_session_with_score_events_and_video(self, page):
        page.goto(f"{SESSIONS}?q=demo&band=high")
        page.get_by_role("link", name="Björn Example").click()
        expect(page.locator(".numbers strong")).to_have_text(["34", "34"])
        expect(page.get_by_text("Flags are not findings; a person decides.")).to_be_visible()
        expect(page.locator(".review-events tbody tr")).to_have_count(9)
        page.wait_for_function("() => document.querySelector('video').readyState >= 1")
        assert page.locator("video").evaluate("video => video.videoWidth") == 320
        assert page.locator("input[type=submit]").count() == 0
        assert page.locator("a.deletelink").count() == 1  # a superuser may delete; nobody may change
        screenshot(page, "admin-session")

    def test_shows_a_session_without_a_video(self, page):
        page.goto(f"{SESSIONS}{demo.CALM}/change/")
        expect(page.locator(".numbers strong")).to_have_text(["98", "98"])
        expect(page.get_by_text("There is no recording of this session.")).to_be_visible()
        expect(page.locator("video")).to_be_hidden()
        screenshot(page, "admin-session-calm")

    def test_is_readable_in_the_dark_and_on_a_narrow_screen(self, page):
        page.emulate_media(color_scheme="dark")
        page.goto(f"{SESSIONS}{demo.BUSY}/change/")
        screenshot(page, "admin-session-dark")
        page.set_viewport_size({"width": 400, "height": 800})
        page.goto(f"{SESSIONS}{demo.BUSY}/change/")
        screenshot(page, "admin-session-narrow")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


class TestTheReport:
    @pytest.fixture(autouse=True)
    def _logged_in(self, page):
        log_in(page)

    def test_draws_every_type_and_lists_every_event(self, page):
        page.goto(f"/sessions/{demo.BUSY}/report.html")
        expect(page.locator("h1")).to_contain_text("Björn Example")
        expect(page.locator(".score strong")).to_have_text("34")
        expect(page.locator("svg g")).to_have_count(7)
        expect(page.locator("table").last.locator("tbody tr")).to_have_count(9)
        assert page.locator("script").count() == 0
        screenshot(page, "report")

    def test_fits_paper_and_the_dark(self, page):
        page.emulate_media(color_scheme="dark")
        page.goto(f"/sessions/{demo.BUSY}/report.html")
        screenshot(page, "report-dark")
        page.emulate_media(color_scheme="dark", media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        sum_of_all = "getComputedStyle(document.querySelector('tfoot')).display"
        assert page.evaluate(sum_of_all) == "table-row-group", "a footer would stand under the rows of each sheet"
        on_each_sheet = "[...[...document.styleSheets[0].cssRules].at(-1).cssRules].map((rule) => rule.style.content)"
        mark = [f'"Session {demo.BUSY}"', 'counter(page) " / " counter(pages)']
        assert page.evaluate(on_each_sheet) == mark
        screenshot(page, "report-print")

    def log(self, page, sitting, event):
        path = f"/sessions/{sitting.id}/events"
        return page.request.post(path, data=event, headers=sitting.candidate).status

    def test_shows_hostile_text_as_text(self, site, page):
        name = "<img src=x onerror=alert(1)> \u202egnp.exe مرشح 👩🏽‍💻"
        sitting = site.start_session(name)
        for event_type in ("</svg><script>alert(1)</script>", "مكتشف الهاتف", "x" * 64):
            event = {"event_type": event_type, "message": "<b>bold</b> \u202etxet"}
            assert self.log(page, sitting, event) == 201
        page.goto(f"/sessions/{sitting.id}/report.html")
        assert page.locator("h1").inner_text() == name
        assert page.locator("img, script, b").count() == 0
        screenshot(page, "report-hostile")

    def test_stays_readable_with_many_types_and_events(self, site, page):
        sitting = site.start_session("Many types")
        for number in range(60):
            event = {"event_type": f"type_{number % 20}", "message": f"event {number}"}
            assert self.log(page, sitting, event) == 201
        page.goto(f"/sessions/{sitting.id}/report.html")
        expect(page.locator("svg g")).to_have_count(12)
        screenshot(page, "report-many-types")


class TestTheContentPolicy:
    """The `page` fixture fails on any violation, which a browser reports as an error; these make sure that it would."""

    def test_lets_every_page_of_ours_work(self, page):
        log_in(page)
        paths = ("/", "/docs", "/admin/", SESSIONS, f"{SESSIONS}{demo.BUSY}/change/")
        for path in paths:
            policy = page.goto(path, wait_until="networkidle").headers["content-security-policy"]
            assert policy.startswith("default-src 'self'")
            assert "unsafe" not in policy
        report = page.goto(f"/sessions/{demo.BUSY}/report.html").headers["content-security-policy"]
        assert report.startswith("default-src 'none'")
        page.goto(f"/videos/{demo.BUSY}.webm")
        page.wait_for_function("() => document.querySelector('video').readyState >= 1")

    @pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/"])
    def test_keeps_an_inline_script_from_running_and_the_watch_sees_it(self, watched, path):
        watched.page.goto(path, wait_until="networkidle")
        assert watched.complaints == []
        watched.page.evaluate(
            """() => { const script = document.createElement("script"); script.textContent = "window.ran = true";
            document.body.append(script); }"""
        )
        assert watched.page.evaluate("window.ran") is None
        assert any("Content Security Policy" in complaint for complaint in watched.complaints)
