"""What people made of a session is in its report: both numbers, the decision, and by which policy."""

import csv
import io

import pytest

from reports_app import services as reports
from sessions_app.review import policies, rescoring, services
from sessions_app.review.models import RunKind
from sessions_app.review.states import Outcome
from sessions_app.scoring import INCIDENTS
from tests.factories import make_event, make_session, make_staff
from tests.reports_app.test_report_page import Page
from tests.sessions_app.review.sittings import confirm, dismiss, ended

pytestmark = pytest.mark.usefixtures("database", "data_dir")


@pytest.fixture
def ada():
    return make_staff("Reviewer", username="ada")


def report_of(api, session):
    answer = api.get(f"/sessions/{session.pk}/report")
    assert answer.status_code == 200
    return answer.json()


def page_of(api, session):
    html = b"".join(api.get(f"/sessions/{session.pk}/report.html")).decode()
    return " ".join(" ".join(Page(html).texts).split())


def test_the_machines_number_keeps_its_meaning_and_the_reviewed_one_stands_beside_it(api, ada):
    session = dismiss(ended(0, 5, 100), by=ada)
    services.decide(session, Outcome.SUSPICIOUS, by=ada, seen=1, reason="One phone remains.")
    report = report_of(api, session)
    assert (report["integrity_score"], report["risk_band"]) == (55, "medium")
    assert [d["points"] for d in report["deductions"]] == [45]
    assert (report["reviewed_integrity_score"], report["reviewed_risk_band"]) == (85, "low")
    assert [(d["count"], d["points"]) for d in report["reviewed_deductions"]] == [(1, 15)]
    assert (report["review_outcome"], report["policy_version"]) == ("suspicious", 1)
    page = page_of(api, session)
    assert "85 as reviewed, low risk" in page
    assert "phone_detected 3 15 45 100 − 45 = 55 45 As reviewed" in page
    assert "phone_detected 1 15 15 100 − 15 = 85 15" in page
    assert "Decision suspicious" in page
    table = b"".join(api.get(f"/sessions/{session.pk}/report.csv")).decode()
    rows = dict(row for row in csv.reader(io.StringIO(table)) if len(row) == 2)
    assert (rows["integrity_score"], rows["reviewed_integrity_score"]) == ("55", "85")
    assert (rows["risk_band"], rows["reviewed_risk_band"]) == ("medium", "low")
    assert (rows["deduction phone_detected"], rows["reviewed deduction phone_detected"]) == (
        "45 (3 × 15)",
        "15 (1 × 15)",
    )
    assert (rows["review_outcome"], rows["policy_version"]) == ("suspicious", "1")


def test_one_table_is_enough_where_both_have_the_same_deductions(api, ada):
    session = confirm(ended(0, 5, 100), by=ada)
    assert report_of(api, session)["reviewed_integrity_score"] == 55
    assert page_of(api, session).count("100 − 45 = 55") == 1


def test_a_stored_page_is_made_anew_after_every_word(api, ada):
    session = ended(0)
    assert "as reviewed" not in page_of(api, session)
    dismiss(session, by=ada)
    assert "100 as reviewed" in page_of(api, session)
    session.refresh_from_db()
    assert reports.is_current(session, "html")


def test_exempt_types_are_in_no_number_and_are_named(api, ada):
    session = ended(0)
    services.allow(session, "phone_detected", reason="A pump.", by=ada, seen=0)
    report = report_of(api, session)
    assert (report["integrity_score"], report["reviewed_integrity_score"]) == (100, 100)
    assert (report["exempt_types"], report["event_counts"]) == (["phone_detected"], {"phone_detected": 1})
    page = page_of(api, session)
    assert "Exempt, counted in neither score: phone_detected" in page
    assert "A pump." not in page, "the reason may be about somebody's health"


def test_it_goes_by_the_policy_that_the_session_was_scored_with(api, ada, run_jobs):
    session = ended(0, 5, 10)
    told = {"counts": INCIDENTS, "gap_s": 12.5, "min_duration_s": 2}
    draft = policies.Draft(weights={"phone_detected": 30}, caps={"phone_detected": 20}, **told)
    version = policies.create(draft, by=ada).version
    policies.activate(version, by=ada, instead_of=None)
    assert report_of(api, session)["integrity_score"] == 55
    assert "Scored with policy 1." in page_of(api, session)
    assert "ncidents" not in page_of(api, session)
    rescoring.start(RunKind.RESCORE, version, by="ada")
    run_jobs()
    report = report_of(api, session)
    assert (report["integrity_score"], report["policy_version"]) == (80, version)
    assert report["deductions"] == [{"event_type": "phone_detected", "count": 1, "weight": 30, "points": 20, "cap": 20}]
    page = page_of(api, session)
    assert "Event type Incidents Points each At most Taken off phone_detected 1 30 20 20" in page
    assert f"Scored with policy {version}." in page
    assert "Incidents are counted: events of one type no more than 12.5 s apart count as one." in page
    assert "What is known to be shorter than 2 s costs no points." in page
    assert b"\r\ncounted,incidents\r\n" in b"".join(api.get(f"/sessions/{session.pk}/report.csv"))


def test_of_a_running_session_it_goes_by_the_policy_in_force(api, ada):
    session = make_session()
    make_event(session, event_type="phone_detected")
    version = policies.create(policies.Draft(weights={"phone_detected": 1}), by=ada).version
    policies.activate(version, by=ada, instead_of=None)
    report = report_of(api, session)
    assert (report["integrity_score"], report["policy_version"]) == (99, version)
