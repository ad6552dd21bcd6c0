"""The player and the timeline of a session's page, in a real browser with real recordings."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import sittings
from tests.browser.conftest import log_in, screenshot
from tests.browser.sittings import BUSY, filmed, moment, page_of, selected, send
from tests.servers import until

documents, film = sittings.documents, sittings.film
sit, colleague = sittings.sit, sittings.colleague

AT = "() => [...document.querySelectorAll('video')].map((video) => video.currentTime)"


class TestThePlayer:
    def test_camera_and_screen_are_in_step_at_any_speed(self, site, page, sit, documents, film):
        sitting = sit([*BUSY, (26, "no_face")])
        filmed(site, sitting, documents, film)
        send(site, sitting, film.read_bytes() + b"\0\0", kind="camera", start_offset_s="22")  # at another computer
        until(lambda: documents["recordings"].count_documents({"session_id": sitting.id, "state": "ready"}) == 3)
        log_in(page, "the-reviewer")
        page.goto(page_of(sitting))
        camera, screen = page.locator("[data-screen=camera]"), page.locator("[data-screen=screen]")
        expect(camera.locator("video")).to_be_visible()  # its first picture, which is of 0:01
        expect(camera.locator("[data-words]")).to_be_empty()
        page.get_by_role("link", name=re.compile("phone_detected")).click()  # 0:09, so 0:07
        page.wait_for_function(
            "() => [...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)"
        )
        assert page.evaluate(AT) == pytest.approx([6, 2], abs=0.1)
        page.locator("[data-speed]").select_option("2")
        page.locator("[data-timeline=sheet]").focus()
        page.keyboard.press("Space")
        page.wait_for_function(
            "() => document.querySelector('[data-timeline=sheet]').getAttribute('aria-valuenow') >= 12"
        )
        camera_at, screen_at = page.evaluate(AT)
        assert page.evaluate("document.querySelector('video').playbackRate") == 2
        assert camera_at - screen_at == pytest.approx(4, abs=0.7)
        page.keyboard.press(".")
        expect(page.locator("[data-speed]")).to_have_value("3")
        page.keyboard.press("Space")
        page.get_by_role("link", name=re.compile("no_face")).click()  # 0:26, so 0:24, which two have
        page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 2) < 0.1")
        page.locator("[data-timeline=sheet]").press("Home")
        expect(screen.locator("[data-words]")).to_have_text("Nothing was recorded at this moment.")
        page.wait_for_function("() => document.querySelector('video').currentTime === 0")
        page.keyboard.press("Space")
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.2")

    def test_the_sitting_runs_without_a_video(self, page, sit):
        log_in(page, "the-reviewer")
        page.goto(page_of(sit(BUSY)))
        expect(page.get_by_text("There is no recording of this session.")).to_be_visible()
        page.locator("[data-speed]").select_option("10")
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_function(
            "() => document.querySelector('[data-timeline=sheet]').getAttribute('aria-valuenow') >= 10"
        )
        page.get_by_role("button", name="Pause", exact=True).click()

    def test_a_broken_and_a_refused_one_say_so_and_what_was_not_sent_is_tried_again(
        self, site, sit, documents, film, colleague
    ):
        sitting = sit(BUSY)
        filmed(site, sitting, documents, film)
        send(site, sitting, b"This is no video at all.", kind="camera", filename="x.webm")
        until(lambda: documents["recordings"].count_documents({"session_id": sitting.id, "state": "rejected"}) == 1)
        broken = documents["recordings"].find_one({"session_id": sitting.id, "kind": "screen"})
        path = site.data_dir / "videos" / (broken["watchable"] or broken["original"])
        path.write_bytes(b"\0" * path.stat().st_size)
        page = colleague("the-reviewer")
        page.route("**/videos/*", lambda route: route.continue_() if path.name in route.request.url else route.abort())
        page.goto(page_of(sitting))
        expect(page.locator(".screen-note")).to_contain_text("was rejected, and is kept")
        page.get_by_role("link", name=re.compile("phone_detected")).click()
        camera, screen = (page.locator(f"[data-screen={kind}] [data-words]") for kind in ("camera", "screen"))
        for words in (camera, screen):
            expect(words).to_contain_text("cannot be played")
        screenshot(page, "desk-session-broken", full_page=False)
        page.unroute_all()
        page.keyboard.press("Space")
        page.wait_for_function("() => document.querySelector('[data-screen=camera] video').readyState >= 2")
        expect(camera).to_be_empty()
        expect(screen).to_contain_text("cannot be played")
        page.locator("[data-timeline=sheet]").press("Home")
        expect(screen).to_have_text("Nothing was recorded at this moment.")


class TestTheTimeline:
    def test_a_click_near_an_incident_leads_to_it_and_elsewhere_to_the_moment(self, page, sit):
        log_in(page, "the-reviewer")
        page.goto(page_of(sit([*BUSY, (55, "no_face")])))
        sheet = page.locator("[data-timeline=sheet]")
        box = sheet.bounding_box()
        facts = page.evaluate("JSON.parse(document.getElementById('session-facts').textContent)")
        place = {"x": box["width"] * 55 / facts["until"] + 2, "y": 30}
        sheet.click(position=place)
        expect(selected(page)).to_contain_text("no_face")
        expect(page.locator("[data-moment]")).to_have_text("0:53")
        sheet.click(position={"x": box["width"] / 2, "y": 8})  # on the ruler
        assert moment(page) == pytest.approx(30, abs=2)
        expect(selected(page)).to_contain_text("no_face")
        sheet.hover(position=place)
        expect(page.locator("[data-timeline=tip]")).to_contain_text("no_face")

    def test_it_comes_closer_and_goes_by_arrows(self, page, sit):
        log_in(page, "the-reviewer")
        page.goto(page_of(sit(BUSY)))
        ticks = page.locator("[data-timeline=ruler] span")
        few = ticks.count()
        page.get_by_role("button", name="Zoom the timeline in").click()
        page.get_by_role("button", name="Zoom the timeline in").click()
        assert ticks.count() > few
        page.locator("[data-timeline=sheet]").focus()
        for name in ("focus_lost", "phone_detected", "looking_away"):
            page.keyboard.press("ArrowRight")
            expect(selected(page)).to_contain_text(name)
        page.keyboard.press("ArrowLeft")
        expect(selected(page)).to_contain_text("phone_detected")
