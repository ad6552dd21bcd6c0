"""The live board as a proctor works at it: by keyboard, beside a client that really beats and confirms."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from playwright.sync_api import Page, expect

from tests.browser.barriers import serious_barriers
from tests.browser.conftest import log_in, screenshot
from tests.browser.exams import log, open_client

LIVE = "/admin/sessions_app/session/live/"
NAME = "Zoë Çelik مرشح 👩🏽‍💻"
#: To what was asked for: the board shows what became of it before `letGo`.
ANSWERS_COME_LATE = """() => {
    const ask = window.fetch;
    const mayCome = new Promise((resolve) => (window.letGo = resolve));
    window.fetch = async (...told) => {
        const answer = await ask(...told);
        if (told[1].method === "POST") await mayCome;
        return answer;
    };
}"""


@pytest.fixture
def proctor(page: Page) -> Iterator[Page]:
    log_in(page, "the-proctor")
    page.goto(LIVE)
    expect(page.locator("#live-freshness")).to_contain_text("Refreshed at")
    return page


def row_of(page: Page, name: str):
    return page.locator("#live-table tbody tr").filter(has=page.get_by_role("link", name=name, exact=True))


def test_a_proctor_pauses_messages_and_terminates_by_keyboard_and_sees_it_confirmed(proctor, visitor, exam):
    candidate = visitor.new_page()
    open_client(candidate, NAME, base=exam.url)
    row = row_of(proctor, NAME)
    expect(row).to_be_visible()  # by itself
    candidate.evaluate("client.heartbeat(() => ({ camera: true }))")
    log(candidate, 3)
    expect(row.locator(".live-points")).to_have_text("5")

    row.get_by_role("button", name=f"Act on {NAME}").focus()
    proctor.keyboard.press("Enter")
    dialog = proctor.get_by_role("dialog", name=f"Act on {NAME}")
    expect(dialog).to_be_visible()
    assert serious_barriers(proctor) == []
    proctor.keyboard.press("Enter")
    expect(dialog).to_be_visible()  # nothing is chosen beforehand
    proctor.keyboard.press("Space")
    screenshot(proctor, "desk-live-dialog", full_page=False)
    dialog.get_by_label("To the candidate", exact=True).fill("Please wait.")
    proctor.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(proctor.locator("#live-result")).to_have_text("The session is paused.")
    expect(row.locator("td").nth(0)).to_have_text("paused")
    expect(row).to_contain_text("confirmed at")
    expect(proctor.locator("#live-result")).to_be_empty()  # the row says it now
    assert exam.commands(candidate.evaluate("client.id"))[0] == ("pause", True)
    assert proctor.evaluate("document.activeElement.innerText").startswith("Act"), "the keyboard stayed where it was"

    proctor.keyboard.press("Enter")
    dialog.get_by_label("terminate").check()
    proctor.keyboard.press("Enter")
    expect(dialog).to_be_visible()  # a reason code is needed
    dialog.get_by_label("Reason code").select_option("examinee.identity")
    dialog.get_by_role("button", name="Do it").click()
    expect(row).to_be_hidden()


def test_those_of_a_hall_are_found_by_name_and_count_and_asked_together(proctor, watched, site):
    hall = [site.start_session(f"Hall {number}") for number in range(6)]
    proctor.request.post(f"/sessions/{hall[0].id}/pause", headers=site.staff)
    site.start_session("Işıl elsewhere")
    proctor.reload()
    shown = proctor.locator("#live-table tbody tr:visible")
    expect(row_of(proctor, "Işıl elsewhere")).to_be_visible()
    find, paused = proctor.get_by_label("Find a candidate"), proctor.locator("#live-counts [data-show=paused]")
    find.fill("isil")
    expect(shown).to_have_text([re.compile("Işıl")])
    find.fill("hALL")
    expect(shown).to_have_count(6)
    paused.click()
    expect(paused).to_have_attribute("aria-pressed", "true")
    expect(shown).to_have_text([re.compile("Hall 0")])
    find.fill("nobody of this name")
    expect(proctor.locator("#live-none")).to_be_visible()
    find.fill("hall")
    paused.click()

    proctor.get_by_role("button", name="Act on all 6 shown").click()
    dialog = proctor.get_by_role("dialog", name="Act on all 6 sessions shown")
    assert serious_barriers(proctor) == []
    verbs = [label.strip() for label in dialog.locator("#live-verbs label").all_inner_texts()]
    assert verbs == ["message (6)", "pause (5)", "resume (1)"]
    proctor.request.post(f"/sessions/{hall[5].id}/end", headers=hall[5].candidate)
    held, is_over = [], Event()
    proctor.route("**/live/act/", lambda route: route.continue_() if is_over.is_set() else held.append(route))
    dialog.get_by_label("pause").check()
    dialog.get_by_label("To the candidate", exact=True).fill("Fire alarm: leave the room.")
    with proctor.expect_request("**/live/act/"):
        proctor.keyboard.press("Enter")
    proctor.keyboard.press("Escape")  # with four under way
    row_of(proctor, "Hall 1").get_by_role("button").click()
    other, message = proctor.get_by_role("dialog", name="Act on Hall 1"), proctor.locator("#live-message")
    other.get_by_role("radio", name="message").check()
    message.fill("You may stay.")
    is_over.set()
    for route in held:
        route.continue_()
    result = proctor.locator("#live-result")
    expect(result).to_have_text("Done for 3 of 5 sessions. Hall 5: The session is no longer open.")
    expect(message).to_have_value("You may stay.")
    expect(other).to_be_visible()
    proctor.keyboard.press("Escape")
    asked = [proctor.request.get(f"/sessions/{one.id}", headers=site.staff).json()["commands"] for one in hall]
    said = [[command["message"] for command in each] for each in asked]
    assert said == [[None], [], *[["Fire alarm: leave the room."]] * 3, []], "the second was left alone"
    watched.complaints.clear()  # of the one that was refused

    paused.click()
    proctor.get_by_role("button", name="Act on all 4 shown").click()
    proctor.get_by_label("resume (4)").check()
    proctor.evaluate(ANSWERS_COME_LATE)
    proctor.keyboard.press("Enter")
    expect(proctor.locator("#live-none")).to_be_visible()
    proctor.evaluate("letGo()")
    expect(proctor.locator(".live-scroll")).to_be_focused()  # the button is gone


def test_it_says_when_most_clients_fell_silent_together(proctor, site, exam):
    sessions, silent_since = exam.database["sessions"], datetime.now(UTC) - timedelta(minutes=2)
    sessions.update_many({"end_time": None}, {"$unset": {"heartbeat": ""}})  # of whom other tests left sitting
    silent = [site.start_session(f"Silent {number}") for number in range(5)]
    for sitting in silent:
        proctor.request.post(f"/sessions/{sitting.id}/heartbeat", data={}, headers=sitting.candidate)
        sessions.update_one({"_id": sitting.id}, {"$set": {"heartbeat.last_at": silent_since}})
    expect(proctor.locator("#live-together")).to_contain_text("5 clients fell silent at the same time")
    proctor.reload()
    expect(proctor.locator("#live-said")).to_contain_text("5 clients fell silent at the same time.")
    for sitting in silent:
        proctor.request.post(f"/sessions/{sitting.id}/end", headers=sitting.candidate)


def test_what_the_server_refuses_is_said_in_the_dialog(watched, site):
    page, sitting = watched.page, site.start_session("Quick Ender")
    log_in(page, "the-proctor")
    page.goto(LIVE)
    row = row_of(page, "Quick Ender")
    page.route("**/live/state/", lambda route: route.abort())  # this board does not see it any more
    row.get_by_role("button").click()
    page.request.post(f"/sessions/{sitting.id}/end", headers=sitting.candidate)
    page.get_by_role("dialog").get_by_label("pause").check()
    page.keyboard.press("Enter")
    expect(page.locator("#live-fault")).to_have_text("The session is no longer open.")
    page.keyboard.press("Escape")
    expect(page.locator("#live-freshness")).to_have_class("live-freshness is-stale")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_it_is_without_barriers_light_and_dark_wide_and_narrow(proctor, site, scheme, width):
    for number in range(3):
        sitting = site.start_session(f"Sitter {number} {'with a long name ' * number}")
        for event_type in ("phone_detected", "no_face")[:number]:
            proctor.request.post(
                f"/sessions/{sitting.id}/events", data={"event_type": event_type}, headers=sitting.candidate
            )
    proctor.set_viewport_size({"width": width, "height": 800})
    proctor.emulate_media(color_scheme=scheme)
    proctor.reload()
    expect(row_of(proctor, "Sitter 0").first).to_be_visible()
    assert serious_barriers(proctor) == []
    assert proctor.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(proctor, f"desk-live-{scheme}-{width}")


def test_left_open_over_night_it_says_of_which_day_its_times_are(proctor, site):
    sitting = site.start_session("Over Night")
    proctor.request.post(f"/sessions/{sitting.id}/pause", headers=site.staff)
    row = row_of(proctor, "Over Night")
    expect(row).to_contain_text(re.compile(r"pause at \d\d:"))
    proctor.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=1))
    expect(row).to_contain_text(re.compile(r"pause at \d{4}-\d\d-\d\d \d\d:"))


def test_a_row_that_moves_keeps_the_keyboard(proctor, site):
    sitting, other = site.start_session("Mover One"), site.start_session("Mover Two")
    button = row_of(proctor, "Mover One").get_by_role("button")
    button.focus()
    for _ in range(7):
        for one in (sitting, other):
            event = {"event_type": "phone_detected"}
            proctor.request.post(f"/sessions/{one.id}/events", data=event, headers=one.candidate)
    expect(row_of(proctor, "Mover One").locator(".live-points")).to_have_text("100")
    expect(button).to_be_focused()
    said = proctor.locator("#live-said").inner_text()
    assert re.match(r"\d+ with points, \d+ missing, \d+ with a problem, \d+ paused\.", said)
