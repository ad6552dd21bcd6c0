"""How the page of a session looks: schemes, widths, forced colours, and no barriers in any of its forms."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import sittings
from tests.browser.barriers import serious_barriers
from tests.browser.conftest import log_in, screenshot
from tests.browser.sittings import BUSY, filmed, page_of, selected

documents, film = sittings.documents, sittings.film
sit, colleague = sittings.sit, sittings.colleague


class TestHowItLooks:
    @pytest.fixture
    def full(self, site, sit, documents, film):
        """5,000 events, two recordings, and every kind of word on it."""
        types = ["looking_away"] * 30 + ["focus_lost"] * 15 + ["no_face"] * 4 + ["tab_hidden"] * 3 + ["multiple_faces"]
        events = [(3 + n * 0.011, types[n * 7 % len(types)]) for n in range(4996)]
        sitting = sit(
            [*events, (1, "phone_detected"), (40, "phone_detected"), (59, "notes_detected"), (59.5, "no_face")]
        )
        filmed(site, sitting, documents, film)
        return sitting

    def test_in_light_and_dark_wide_and_narrow(self, page, full):
        log_in(page, "the-reviewer")
        page.goto(page_of(full))
        page.keyboard.press("j")
        page.keyboard.press("c")
        expect(selected(page).locator(".state")).to_have_text("confirmed")
        page.keyboard.press("j")
        page.keyboard.press("d")
        page.keyboard.type("Nothing to see")
        page.keyboard.press("Enter")
        expect(selected(page).locator(".state")).to_have_text("dismissed")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (1440, 1024, 820, 400):
                page.set_viewport_size({"width": width, "height": 900})
                if scheme == "light" or width == 1440:  # opened so wide, or made so
                    page.goto(page_of(full))
                    page.keyboard.press("j")
                page.wait_for_function("() => document.querySelector('[data-screen=camera] video').readyState >= 2")
                screenshot(page, f"desk-session-{scheme}-{width}", full_page=width < 1440)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.set_viewport_size({"width": 1440, "height": 900})
            assert serious_barriers(page) == []

    def test_open_forms_have_no_barriers(self, page, full):
        log_in(page, "the-reviewer")
        page.goto(page_of(full))
        page.keyboard.press("j")
        for name in ("dismiss", "severity", "add-incident", "note", "allow", "assign", "due", "keys"):
            page.locator(f"#{name} > summary").click()
            assert serious_barriers(page) == [], name
            if name in ("dismiss", "add-incident", "keys"):
                screenshot(page, f"desk-session-form-{name}", full_page=False)

    def test_a_field_that_is_wrong_says_why_until_it_is_changed(self, colleague, sit):
        page = colleague("the-reviewer")
        page.goto(page_of(sit(BUSY)))
        page.keyboard.press("j")
        for opens in (
            "d",
            "Escape",
        ):  # where there is room below, a form hides neither what it is about nor what is above
            page.keyboard.press(opens)
            selected(page).get_by_role("link").click(trial=True)
            page.locator("#add-incident > summary").click(trial=True)
        page.keyboard.press("n")
        form = page.get_by_role("dialog", name="Note")
        form.locator("textarea").fill("Hands under the table")
        begins = form.get_by_label("From")
        begins.fill("soon")
        form.get_by_role("button", name="Save note").click()
        expect(begins).to_have_accessible_description(re.compile("a note on the whole.*Enter the moment as 12:04"))
        expect(begins).to_have_attribute("aria-invalid", "true")
        expect(begins).to_be_focused()
        begins.fill("0:01")
        expect(begins).not_to_have_attribute("aria-invalid", "true")
        expect(begins).to_have_accessible_description("Leave empty for a note on the whole session.")

    def test_at_twice_the_size_and_in_forced_colours_one_sees_where_one_is(self, page, site, sit, documents, film):
        filmed(site, sitting := sit(BUSY), documents, film)
        log_in(page, "the-reviewer")
        page.emulate_media(forced_colors="active")
        page.set_viewport_size({"width": 640, "height": 450})
        page.goto(page_of(sitting))
        page.keyboard.press("j")
        link = selected(page).get_by_role("link")
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport(ratio=1)
        box = link.bounding_box()
        there = [box["x"] + 5, box["y"] + box["height"] / 2]
        assert link.evaluate(
            "(one, there) => one.contains(document.elementFromPoint(...there))", there
        )  # not under the player
        expect(selected(page).locator("td").first).to_have_css("border-top-width", "2px")
        expect(page.locator(".tl-picked")).to_have_css("outline-style", "solid")
        canvas = page.evaluate("getComputedStyle(document.body).backgroundColor")
        expect(page.locator(".tl-head")).not_to_have_css("background-color", canvas)
