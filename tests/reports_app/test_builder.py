"""What the report contains. Pure: facts in, a dataclass out."""

from datetime import timedelta

import pytest

from reports_app.builder import EventFact, SessionFacts, build_report, in_order
from sessions_app.scoring import Policy
from tests.factories import NOON


def report_of(counts, **facts):
    facts = {
        "session_id": "s",
        "candidate_name": "Ada",
        "state": "ended",
        "start_time": NOON,
        "end_time": NOON + timedelta(minutes=1),
        "duration_s": 60,
        "video_name": None,
        **facts,
    }
    return build_report(SessionFacts(counts=counts, **facts), policy=Policy.with_overrides({}))


@pytest.mark.parametrize(
    ("event_type", "field"),
    [
        ("focus_lost", "focus_lost_count"),
        ("looking_away", "looking_away_count"),
        ("no_face", "no_face_segments"),
        ("multiple_faces", "multiple_faces_count"),
        ("phone_detected", "phone_detected_count"),
        ("notes_detected", "notes_detected_count"),
        ("device_detected", "device_detected_count"),
    ],
)
def test_each_count_of_the_contract_is_that_of_its_type(event_type, field):
    assert getattr(report_of({event_type: 3, "other": 9}), field) == 3
    assert getattr(report_of({"other": 9}), field) == 0


def test_suspicious_are_faces_phones_notes_and_devices_together():
    report = report_of(
        {
            "multiple_faces": 1,
            "phone_detected": 10,
            "notes_detected": 100,
            "device_detected": 1000,
            "focus_lost": 10_000,
            "looking_away": 10_000,
            "no_face": 10_000,
            "other": 10_000,
        }
    )
    assert report.suspicious_events_count == 1111


def test_every_type_is_listed_with_its_count_in_the_order_of_names():
    assert list(report_of({"b": 2, "a": 1, "": 3}).event_counts.items()) == [("", 3), ("a", 1), ("b", 2)]


def test_the_score_comes_with_its_reasons_and_the_notice():
    report = report_of({"phone_detected": 2})
    assert (report.integrity_score, report.risk_band) == (70, "medium")
    assert [(d.event_type, d.points) for d in report.deductions] == [("phone_detected", 30)]
    assert report.notice == "Flags are not findings; a person decides."


def test_events_are_in_the_order_of_time_with_those_of_unknown_time_first():
    late, early, unknown = (EventFact("t", None, at) for at in (NOON + timedelta(seconds=1), NOON, None))
    same = EventFact("second at noon", None, NOON)
    assert in_order([late, early, unknown, same]) == [unknown, early, same, late]
