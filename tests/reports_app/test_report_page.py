"""The report as a page: one file that needs nothing else, runs nothing, and shows any text as text."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from reports_app.builder import EventFact, SessionFacts, build_report
from reports_app.renderers import html_page, timeline
from sessions_app.coverage import Coverage
from sessions_app.scoring import Policy
from tests.factories import NOON

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</text></svg><img src=x onerror=alert(1)>",
    "\"' onload='alert(1)",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "&lt;b&gt; &amp; &#60;",
    "<!-- --> ]]> <![CDATA[",
    "مرشح اسمه طويل \u202ereversed",
    "👩🏽‍💻🇺🇦 e\u0301",
    "\ud800 lone \udfff",
    "\0\x01\x08\x0b\x0c\x1b\x7f\x85\ufffe\uffff",
    "line\nbreak\ttab\r",
    "javascript:alert(1)",
    "https://elsewhere.example/x.png",
]
#: HTML that loads, runs or sends something.
FORBIDDEN_TAGS = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "audio", "video", "source"}


class Page(HTMLParser):
    """What a browser would make of it: tags with attributes, and texts per tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def render(events=(), counts=None, **facts) -> str:
    events = list(events)
    if counts is None:
        counts = {}
        for event in events:
            counts[event.event_type] = counts.get(event.event_type, 0) + 1
    facts = {
        "session_id": "00000000-0000-4000-8000-000000000001",
        "candidate_name": "Ada Example",
        "state": "ended",
        "start_time": NOON,
        "end_time": NOON + timedelta(hours=1),
        "duration_s": 3600,
        "video_name": None,
        **facts,
    }
    report = build_report(SessionFacts(counts=counts, **facts), policy=Policy.with_overrides({}))
    return html_page.render(report, events).decode()


def drawings(html: str) -> Iterator[ElementTree.Element]:
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        yield ElementTree.fromstring(svg)


def some_events(count, types=("focus_lost", "phone_detected", "tab_hidden")):
    return [EventFact(types[n % len(types)], f"message {n}", NOON + timedelta(seconds=n)) for n in range(count)]


class TestThePage:
    @pytest.mark.parametrize("events", [[], some_events(1), some_events(40)])
    def test_needs_and_runs_nothing_from_elsewhere(self, events):
        html = render(events)
        assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
        page = Page(html)
        assert not FORBIDDEN_TAGS & {tag for tag, _ in page.tags}
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert not [name for _, attributes in page.tags for name in attributes if name in {"src", "href", "action"}]

    def test_is_whole(self):
        html = render(some_events(3))
        assert html.startswith("<!doctype html>")
        assert html.rstrip().endswith("</html>")

    def test_says_what_the_score_is_made_of(self):
        page = Page(render(counts={"phone_detected": 2, "looking_away": 1, "tab_hidden": 4}))
        text = " ".join(" ".join(page.texts).split())
        assert "phone_detected 2 15 30" in text
        assert "looking_away 1 1 1" in text
        assert "100 − 31 = 69" in text
        assert "Reported, without a weight: tab_hidden × 4." in text
        assert "Flags are not findings; a person decides." in text

    def test_says_so_when_the_score_could_not_fall_further(self):
        assert "100 − 100 = 0 (never below 0)" in Page(render(counts={"phone_detected": 50})).text

    def test_without_events_says_so(self):
        html = render()
        assert "No points were taken off." in html
        assert "No events were reported." in html
        assert list(drawings(html)) == []

    def test_of_a_running_session_says_so(self):
        page = render(end_time=None, state="running", duration_s=0)
        assert "not yet" in page
        assert "not over yet" in page

    def test_says_how_long_it_was_in_minutes_and_calls_nothing_suspicious(self):
        page = render(duration_s=2102, counts={"phone_detected": 2, "looking_away": 1})
        assert "35 min 2 s" in page
        assert "<dd>2 events</dd>" in page
        assert "uspicious" not in page

    def test_without_a_name_start_or_end_says_so(self):
        text = Page(render(candidate_name=" \t ", start_time=None, end_time=None)).text
        assert text.count("(no name)") == 2  # the title, too
        assert "123" in Page(render(candidate_name=123)).text  # adopted
        assert "unknown" in text

    @pytest.mark.parametrize("start", [None, NOON + timedelta(hours=2)])
    def test_of_which_nobody_knows_how_long_it_was_says_so_and_no_0_minutes(self, start):
        text = Page(render(start_time=start, end_time=NOON, duration_s=0)).text
        assert "Durationunknown" in "".join(text.split())
        assert "0 min 0 s" not in text

    def test_calls_no_share_more_than_it_is(self):
        text = Page(render(coverage=Coverage(heartbeat=0.9999, camera=0.7999, microphone=0.29, screen=1.0))).text
        assert "heartbeat 99%, camera 79%, microphone 29%, screen 100%" in " ".join(text.split())
        assert "Too little of this session was watched" in text
        assert "heartbeat 98%, no camera" in " ".join(Page(render(coverage=Coverage(heartbeat=0.98))).text.split())

    def test_of_an_event_without_type_or_time_says_so(self):
        text = Page(render([EventFact("", None, None), EventFact("", None, NOON)])).text
        assert "(no type) (1)" in text
        assert "unknown(no type)" in text

    def test_says_of_an_event_all_that_its_client_told(self):
        told = {"duration_s": 2.5, "source": "page 1", "marks": ("late",), "data": {"characters": 10, "seen": NOON}}
        details = '2.5 s, page 1, late, {"characters": 10, "seen": "2026-03-02 12:00:00+00:00"}'
        assert details in Page(render([EventFact("paste", None, NOON, **told)])).text

    def test_lists_every_event_once_and_in_order(self):
        html = render(some_events(5000))
        assert [int(n) for n in re.findall(r"<td>message (\d+)</td>", html)] == list(range(5000))
        assert "Events (5000)" in html


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_is_shown_as_text_wherever_it_stands(self, text):
        events = [EventFact(text, text, NOON, data={text: text}), EventFact("phone_detected", text, None)]
        html = render(events, candidate_name=text, video_name=text, session_id=text)
        harmless = render([EventFact("a", "b", NOON), EventFact("phone_detected", "c", None)], video_name="d")
        assert [tag for tag, _ in Page(html).tags] == [tag for tag, _ in Page(harmless).tags]
        assert html.encode().decode() == html
        on_each_sheet = re.search(r'content: "Session ([A-Za-z0-9\\-]*)"', html)[1]
        assert re.sub(r"\\([0-9a-f]{6})", lambda number: chr(int(number[1], 16)), on_each_sheet) == text

    @pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable() and "\r" not in text])
    def test_can_be_read_in_full(self, text):
        assert Page(render([EventFact("a", text, NOON)], candidate_name=text)).text.count(text) >= 2

    @pytest.mark.parametrize("text", HOSTILE)
    def test_leaves_the_drawing_well_formed(self, text):
        (drawing,) = drawings(render([EventFact(text, None, NOON)]))
        assert len(drawing.findall("g")) == 1


class TestTheTimeline:
    def test_has_a_lane_per_type_with_a_mark_per_instant(self):
        (drawing,) = drawings(render(some_events(9)))
        assert [group.find("text").text for group in drawing.findall("g")] == [
            "focus_lost (3)",
            "phone_detected (3)",
            "tab_hidden (3)",
        ]
        assert [group.find("path").get("d").count("M") for group in drawing.findall("g")] == [3, 3, 3]
        assert [group.find("path").get("class") for group in drawing.findall("g")] == ["weighed", "weighed", None]

    def test_keeps_all_marks_between_its_edges(self):
        before, after = EventFact("a", None, NOON - timedelta(days=9)), EventFact("a", None, NOON + timedelta(days=9))
        (drawing,) = drawings(render([before, after]))
        path = drawing.find("g/path").get("d")
        places = [float(x) for x in re.findall(r"M([\d.]+) ", path)]
        assert (min(places), max(places)) == (timeline.LABEL_WIDTH, timeline.WIDTH - timeline.RIGHT_MARGIN)
        ticks = [tick.text for tick in drawing.findall("text")]
        assert (ticks[0], ticks[-1]) == ("−14:00:00", "15:00:00")  # no event of another year makes the hour a dot

    def test_of_a_hundred_types_stays_readable_and_loses_none(self):
        events = some_events(1000, types=[f"type {n:03}" for n in range(100)])
        html = render(events)
        (drawing,) = drawings(html)
        labels = [group.find("text").text for group in drawing.findall("g")]
        assert len(labels) == timeline.LANES_MAX
        assert labels[-1] == f"{timeline.FURTHER_TYPES} ({1000 - 10 * (timeline.LANES_MAX - 1)})"
        assert all(f"type {n:03}" in html for n in range(100))

    def test_of_5000_events_is_well_formed_and_small(self):
        html = render(some_events(5000))
        (drawing,) = drawings(html)
        assert len(ElementTree.tostring(drawing)) < 150_000

    def test_of_one_moment_has_an_axis(self):
        (drawing,) = drawings(render([EventFact("a", None, NOON)], start_time=NOON, end_time=NOON))
        assert [tick.text for tick in drawing.findall("text")] == ["0:00", "0:01", "0:02", "0:03", "0:04", "0:05"]

    def test_counts_from_the_start_also_where_something_was_before_it(self):
        (drawing,) = drawings(render([EventFact("a", None, NOON - timedelta(minutes=61))], end_time=NOON))
        ticks = [tick.text for tick in drawing.findall("text")]
        assert (ticks[0], ticks[1], ticks[-1]) == ("−1:01:00", "−48:48", "0:00")

    @pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
    def test_at_the_end_of_all_days_is_drawn_too(self, at):
        for start in (NOON, None):
            (drawing,) = drawings(render([EventFact("a", None, at)], start_time=start, end_time=None))
            assert len(drawing.findall("text")) == timeline.TICKS + 1

    def test_of_events_without_a_time_is_left_out(self):
        assert list(drawings(render([EventFact("a", None, None)]))) == []
