"""GET /sessions/{id}/report: the earlier contract's fields and types, and ours after them."""

from datetime import timedelta
from uuid import uuid4

import pytest

from sessions_app import services as sessions
from tests.drives import stored
from tests.factories import NOON, make_event, make_session, old_event, old_session, write_old_documents

pytestmark = pytest.mark.usefixtures("database", "data_dir")

TYPES = {
    "candidate_name": str,
    "session_id": str,
    "interview_duration_seconds": int,
    "focus_lost_count": int,
    "looking_away_count": int,
    "no_face_segments": int,
    "multiple_faces_count": int,
    "phone_detected_count": int,
    "notes_detected_count": int,
    "device_detected_count": int,
    "suspicious_events_count": int,
    "integrity_score": int,
    "risk_band": str,
    "deductions": list,
    "event_counts": dict,
    "notice": str,
    "coverage": type(None),
    "clock_skew_ms": type(None),
    "reviewed_integrity_score": int,
    "reviewed_risk_band": str,
    "reviewed_deductions": list,
    "review_outcome": str,
    "policy_version": int,
    "exempt_types": list,
    "too_late_events": int,
    "too_late_last_at": type(None),
}


def report_of(api, session_id):
    answer = api.get(f"/sessions/{session_id}/report")
    assert answer.status_code == 200
    return answer.json()


def test_it_has_the_contracts_fields_and_types_and_ours(api):
    report = report_of(api, make_session().pk)
    assert {name: type(value) for name, value in report.items()} == TYPES


def test_it_adds_up_what_was_reported(api):
    session = make_session(candidate_name="Grace Hopper")
    for event_type in ["phone_detected", "multiple_faces", "multiple_faces", "looking_away", "tab_hidden"]:
        make_event(session, event_type=event_type)
    deductions = [
        {"event_type": "multiple_faces", "count": 2, "weight": 10, "points": 20, "cap": None},
        {"event_type": "phone_detected", "count": 1, "weight": 15, "points": 15, "cap": None},
        {"event_type": "looking_away", "count": 1, "weight": 1, "points": 1, "cap": None},
    ]
    assert report_of(api, session.pk) == {
        "candidate_name": "Grace Hopper",
        "session_id": session.pk,
        "interview_duration_seconds": 0,
        "focus_lost_count": 0,
        "looking_away_count": 1,
        "no_face_segments": 0,
        "multiple_faces_count": 2,
        "phone_detected_count": 1,
        "notes_detected_count": 0,
        "device_detected_count": 0,
        "suspicious_events_count": 3,
        "integrity_score": 64,
        "risk_band": "medium",
        "deductions": deductions,
        "event_counts": {"looking_away": 1, "multiple_faces": 2, "phone_detected": 1, "tab_hidden": 1},
        "notice": "Flags are not findings; a person decides.",
        "coverage": None,
        "clock_skew_ms": None,
        "reviewed_integrity_score": 64,
        "reviewed_risk_band": "medium",
        "reviewed_deductions": deductions,
        "review_outcome": "not_reviewed",
        "policy_version": 1,
        "exempt_types": [],
        "too_late_events": 0,
        "too_late_last_at": None,
    }


def test_the_duration_is_0_while_the_session_runs_and_then_whole_seconds(api):
    session = make_session(start_time=NOON)
    assert report_of(api, session.pk)["interview_duration_seconds"] == 0
    sessions.end_session(session, at=NOON + timedelta(minutes=42, seconds=3, milliseconds=999))
    assert report_of(api, session.pk)["interview_duration_seconds"] == 42 * 60 + 3


def test_the_weights_of_the_settings_count(api, settings):
    session = make_session()
    make_event(session, event_type="tab_hidden")
    settings.SCORE_WEIGHTS = {"tab_hidden": 60}
    report = report_of(api, session.pk)
    assert (report["integrity_score"], report["risk_band"]) == (40, "high")


def test_it_also_stores_the_page_under_the_contracts_name(api, data_dir):
    session = make_session()
    report_of(api, session.pk)
    assert stored(data_dir / "reports") == [f"report_{session.pk}.html"]
    assert api.get(f"/reports/report_{session.pk}.html").status_code == 200


def test_the_csv_is_an_attachment_and_stored_under_the_contracts_name(api, data_dir):
    session = make_session()
    answer = api.get(f"/sessions/{session.pk}/report.csv")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="report_{session.pk}.csv"'
    assert stored(data_dir / "reports") == [f"report_{session.pk}.csv"]
    assert api.get(f"/reports/report_{session.pk}.csv").getvalue() == answer.getvalue()


@pytest.mark.parametrize("route", ["report", "report.html", "report.csv"])
@pytest.mark.parametrize("session_id", ["00000000-0000-4000-8000-0000000000ff", "x"])
def test_an_unknown_session_is_a_404_and_stores_nothing(api, data_dir, route, session_id):
    answer = api.get(f"/sessions/{session_id}/{route}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert stored(data_dir / "reports") == []


@pytest.mark.parametrize("route", ["report", "report.html", "report.csv"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_report_is_only_read(api, route, method):
    assert getattr(api, method)(f"/sessions/{make_session().pk}/{route}").status_code == 405


class TestAnAdoptedSession:
    def test_is_counted_from_its_events(self, api):
        session = old_session(end_time=None)
        types = ["phone_detected", "phone_detected", "something else", None, "a.b$c"]
        write_old_documents([session], [old_event(session, event_type=event_type) for event_type in types])
        report = report_of(api, session["_id"])
        assert report["phone_detected_count"] == 2
        assert report["integrity_score"] == 70
        assert report["event_counts"] == {"": 1, "a.b$c": 1, "phone_detected": 2, "something else": 1}

    @pytest.mark.parametrize("route", ["report", "report.html", "report.csv"])
    def test_with_fields_that_are_odd_or_missing_still_has_its_reports(self, api, route):
        bare = {"_id": str(uuid4()), "candidate_name": None}
        odd = old_session(start_time=None, end_time="2026-03-02T13:00:00", video_path="data\\videos\\x.webm")
        events = [
            {"_id": str(uuid4()), "session_id": odd["_id"]},
            old_event(odd, event_type=None, timestamp=None),
            old_event(odd, event_type="", timestamp="2026-03-02T12:30:00"),
            old_event(odd, event_type="t" * 500, timestamp="no instant", message="m" * 20_000),
            old_event(odd, timestamp="9999-12-31T23:59:59.999"),
            old_event(odd, timestamp="0001-01-01T00:00:00"),
        ]
        write_old_documents([bare, odd], events)
        for session in (bare, odd):
            answer = api.get(f"/sessions/{session['_id']}/{route}")
            assert answer.status_code == 200
            assert answer.getvalue() if answer.streaming else answer.content

    def test_that_ended_before_it_started_lasted_0_seconds(self, api):
        session = old_session(end_time=NOON - timedelta(hours=1))
        write_old_documents([session])
        assert report_of(api, session["_id"])["interview_duration_seconds"] == 0
