"""Queue, overview and policies as a reviewer meets them, light and dark, wide and narrow, and without barriers."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from proctoring_site.csv_cells import FOR_EXCEL
from tests.browser.barriers import serious_barriers
from tests.browser.conftest import USERNAME, log_in, screenshot
from tests.browser.exams import Exam

QUEUE, OVERVIEW = "/admin/sessions_app/session/", "/admin/sessions_app/session/overview/"
POLICIES = "/admin/review/policyversion/"
MARK = "Queue"
#: name → band, score, rank, what more
SESSIONS = {
    f"{MARK} high مرشحة 👩🏽‍💻": ("high", 20, 0, {"event_counts": {"phone_detected": 5, "looking_away": 5}}),
    f"{MARK} medium": ("medium", 65, 1, {"machine_score": 40, "event_counts": {"looking_away": 35}}),
    f"{MARK} unwatched": ("insufficient_data", 100, 2, {"covered": 0.2}),
    f"{MARK} clean one": ("low", 100, 3, {}),
    f"{MARK} =clean two": ("low", 98, 3, {"event_counts": {"looking_away": 2}}),
    f"{MARK} second": ("medium", 60, 11, {"review_outcome": "second_review_required", "outcome_by": "otto"}),
    f"{MARK} passed": ("low", 100, 23, {"review_outcome": "passed", "outcome_by": "otto"}),
}


@pytest.fixture(scope="module", autouse=True)
def sessions(exam: Exam) -> None:
    """As scoring leaves them, with the events that make their scores; and what was judged of detectors."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    for number, (name, (band, score, rank, more)) in enumerate(SESSIONS.items()):
        pk, start = str(uuid4()), end - timedelta(minutes=60 + number)
        counts = more.get("event_counts", {})
        exam.database["sessions"].insert_one(
            {
                "_id": pk,
                "candidate_name": name,
                "start_time": start,
                "end_time": end,
                "status": "ended",
                "video_path": None,
                "moves": [],
                "commands": [],
                "event_counts": {},
                "revision": 1,
                "machine_score": score,
                "reviewed_score": score,
                "reviewed_band": band,
                "queue_rank": rank,
                "policy_version": 1,
                "incident_count": len(counts),
                "open_incidents": len(counts),
                "confirmed_incidents": 0,
                "reviewed_at": end + timedelta(hours=3) if rank >= 20 else None,
                **more,
            }
        )
        events = [(kind, n) for kind, count in counts.items() for n in range(count)]
        for kind, n in events:
            at = start + timedelta(minutes=n)
            exam.database["events"].insert_one(
                {"_id": str(uuid4()), "session_id": pk, "event_type": kind, "timestamp": at, "occurred_at": at}
            )
    detectors = [("no_face", "blink 2.1"), ("somebody_else_is_in_the_room", "vendor's ears 12.34.56")]
    for n, (event_type, source) in itertools.product(range(9), detectors):
        exam.database["incidents"].insert_one(
            {
                "_id": str(uuid4()),
                "session_id": "x",
                "event_type": event_type,
                "sources": [source],
                "state": "dismissed" if n % 3 else "confirmed",
                "is_manual": False,
                "at": end,
                "count": 1,
            }
        )


def names(page: Page) -> list[str]:
    return [name for name in page.locator("#result_list .field-name").all_inner_texts() if name.startswith(MARK)]


def test_a_reviewer_filters_assigns_and_takes_sessions(page):
    ours = page.locator("#result_list tbody tr").filter(has_text=MARK)  # other files leave sessions here, too
    log_in(page, "the-reviewer")
    page.goto(f"{QUEUE}?q={MARK}")  # which fit one page, whatever is there besides
    assert names(page) == list(SESSIONS)
    page.goto(QUEUE)
    expect(page.get_by_text("Flags are not findings; a person decides.")).to_be_visible()
    page.get_by_role("link", name="Too little was watched").click()
    page.wait_for_url(re.compile("coverage=missing"))  # a click may be done before the page is there
    expect(ours).to_have_count(1)
    assert names(page) == [f"{MARK} unwatched"]
    ours.get_by_role("checkbox", name="Select this object for an action").check()
    page.locator("select[name=action]").select_option("assign_sessions")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("Sessions assigned to the-reviewer: 1.")).to_be_visible()
    page.goto(QUEUE)
    page.get_by_role("link", name="open, mine").click()
    page.wait_for_url(re.compile("assigned=mine"))
    expect(ours).to_have_count(1)
    assert names(page) == [f"{MARK} unwatched"]
    page.goto(QUEUE)
    page.locator("#searchbar").fill(f"{MARK.lower()} med")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    assert names(page) == [f"{MARK} medium"]
    page.get_by_role("link", name=f"{MARK} medium").click()
    page.locator(".breadcrumbs").get_by_role("link", name="Sessions").click()
    expect(page.locator("#searchbar")).to_have_value(f"{MARK.lower()} med")


def test_a_reviewer_passes_the_clean_ones_after_a_page_that_says_how_many(page):
    log_in(page, "the-reviewer")
    page.goto(f"{QUEUE}?review=awaiting&band=low")
    page.get_by_role("link", name="Pass the clean sessions in this list …").click()
    question = page.locator(".queue-question")
    expect(question).to_contain_text("without reviewing them?")
    clean = page.locator("input[name=session]").count()
    expect(question).to_contain_text(f"Pass {clean} session")
    assert serious_barriers(page) == []
    screenshot(page, "desk-pass-clean")
    page.get_by_label("Reason, for the history").fill("nothing was seen")
    page.get_by_role("button", name=re.compile(rf"^Pass (all )?{clean}\b")).click()
    expect(page.get_by_text(f"Sessions passed: {clean}.")).to_be_visible()
    assert names(page) == []


def test_the_filtered_list_is_downloaded(page):
    log_in(page, "the-reviewer")
    page.goto(f"{QUEUE}?q={MARK}+")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export this list as CSV").click()
    content = download.value.path().read_bytes()
    assert content.startswith(FOR_EXCEL)
    assert content.decode().count(MARK) == len(SESSIONS)
    assert "مرشحة 👩🏽‍💻" in content.decode()
    page.locator("#result_list .field-name a").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()  # of the session's page, not of the list
    assert download.value.path().read_bytes().startswith(FOR_EXCEL)


def test_a_policy_is_changed_with_a_preview(page):
    log_in(page, USERNAME)
    page.goto(POLICIES)
    screenshot(page, "desk-policies")
    page.get_by_role("link", name="Edit as a new version").first.click()
    page.get_by_label("Weights and caps").fill("looking_away 1\nphone_detected 1")
    page.get_by_label("Reason for this version").fill("phones were calculators")
    assert serious_barriers(page) == []
    screenshot(page, "desk-policy-form")
    page.get_by_role("button", name="Create this version").click()
    expect(page.get_by_text("was created; it is not in force.")).to_be_visible()
    page.get_by_role("button", name="Preview").click()
    result = page.locator(".policy-result")
    expect(result).to_contain_text("change band")
    expect(page.get_by_role("row").filter(has_text=f"{MARK} high")).to_contain_text("20 → 90")
    assert serious_barriers(page) == []
    screenshot(page, "desk-policy-preview")
    page.get_by_role("button", name="Put it in force and rescore").click()
    expect(page.get_by_text("This version is in force.")).to_be_visible()
    expect(page.locator("[aria-labelledby=rescore-title]")).to_contain_text("Done on")
    screenshot(page, "desk-policy-done")
    page.goto(f"{POLICIES}1/change/")  # and back, since others work on this site, too
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".policy-result")).to_contain_text("change band")
    page.get_by_role("button", name="Put it in force and rescore").click()
    expect(page.locator("[aria-labelledby=rescore-title]")).to_contain_text("Done on")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_without_barriers_light_and_dark_wide_and_narrow(page, scheme):
    page.emulate_media(color_scheme=scheme)
    log_in(page, USERNAME)
    for name, path in (("queue", QUEUE), ("overview", OVERVIEW), ("policies", POLICIES)):
        page.goto(path)
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 800})
            assert serious_barriers(page) == [], (name, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            screenshot(page, f"desk-{name}-{scheme}-{width}")


#: What a drawing's words run into: other words, a bar, or its edge.
COLLISIONS = """charts => charts.flatMap(svg => {
  const box = (shape) => shape.getBoundingClientRect(), edge = box(svg);
  const words = [...svg.querySelectorAll("text")], all = [...words, ...svg.querySelectorAll("rect")];
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return words.filter((one) => box(one).left < edge.left - 1 || box(one).right > edge.right + 1
    || all.some((other) => other !== one && meet(box(one), box(other)))).map((one) => one.textContent);
})"""


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_words_of_the_overview_run_into_a_bar_or_are_cut_off(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    log_in(page, "the-reviewer")
    page.goto(OVERVIEW)
    lying = page.locator(".chart svg:not(:has(line))")
    expect(lying.filter(has_text="somebody_else_is_in_the_room")).to_have_count(1)
    screenshot(page, f"desk-overview-words-{width}")
    assert lying.evaluate_all(COLLISIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_overview_prints_its_charts(page):
    log_in(page, "the-reviewer")
    page.goto(OVERVIEW)
    expect(page.locator(".chart svg")).to_have_count(5)
    expect(page.get_by_text("67% (6 of 9)").first).to_be_attached()
    page.get_by_text("Show as a table").last.click()
    expect(page.get_by_role("row", name="no_face, blink 2.1 67% (6 of 9)")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("#header")).to_be_hidden()
    screenshot(page, "desk-overview-print")
