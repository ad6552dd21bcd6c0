"""What the audit log cannot record is not done; only the candidates' events go on, since they make no record."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client

from media_app.services import attach_video
from proctoring_site.access.models import ApiToken
from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import AuditRecord
from reports_app.models import StoredReport
from sessions_app.heartbeat import Beat, beat
from sessions_app.models import Event, Session
from sessions_app.services import end_session
from tests import drives
from tests.access import IMPORTED, ask, caller, candidate, clip_bytes, content_of, machine, send_csrf_token
from tests.factories import make_event, make_session, make_staff

data_dir = drives.data_dir

OUT_OF_DISK_SPACE = 14031
PASSWORD = "correct horse battery"


@contextmanager
def full_audit_log() -> Generator[None, None, None]:
    """The server takes no insert into the audit log, and everything else."""
    client = connection.database.client
    which = {"failCommands": ["insert"], "namespace": f"{connection.database.name}.audit_log"}
    data = {**which, "appName": client.options.pool_options.appname, "errorCode": OUT_OF_DISK_SPACE}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.fixture
def session(committed_database, data_dir):
    """Running, with an event and a video, and no report yet."""
    (settings.VIDEO_IMPORT_DIR / IMPORTED).write_bytes(clip_bytes())
    session = make_session()
    make_event(session)
    other = clip_bytes() + b"\xec\x88" + b"\0" * 8  # an EBML Void: the same bytes again would change nothing
    return attach_video(session, ContentFile(other, name="clip.webm"))


def state():
    """All that a request may change, the throttle's counters, logins' own rows and last uses apart."""
    names = ("sessions", "events", "reports", "api_tokens", "auth_user", "auth_group", "auth_user_groups", "audit_log")
    files = [drives.stored(settings.DATA_DIR / drive) for drive in ("videos", "reports")]
    left_out = {"last_used_at": 0, "last_login": 0}
    return files, [list(connection.database[name].find({}, left_out).sort("_id")) for name in names]


def assert_refused(answer, before):
    assert answer.status_code == 503, content_of(answer)
    assert answer["Retry-After"] == "5"
    assert state() == before


LOOKS = [
    "/sessions",
    "/sessions/{id}",
    "/sessions/{id}/report",
    "/sessions/{id}/report.html",
    "/sessions/{id}/report.csv",
    "/videos/{id}.webm",
]


@pytest.mark.parametrize("client_of", [lambda user: caller(signed_in=user), machine], ids=["cookie", "machine"])
@pytest.mark.parametrize("path", LOOKS)
def test_a_look_shows_nothing(session, path, client_of):
    client = client_of(make_staff("Reviewer"))
    before = state()
    with full_audit_log():
        answer = ask(client, "GET", path.format(id=session.pk))
        assert_refused(answer, before)
        assert session.candidate_name.encode() not in content_of(answer)
    assert ask(client, "GET", path.format(id=session.pk)).status_code == 200


@pytest.mark.parametrize("path", ["/sessions/{id}/video", "/sessions/{id}/end"])
def test_a_candidate_neither_uploads_nor_ends(session, path):
    client, before = candidate(session), state()
    with full_audit_log():
        assert_refused(ask(client, "POST", path.format(id=session.pk)), before)
    assert ask(client, "POST", path.format(id=session.pk)).status_code == 200


def test_an_end_that_is_refused_leaves_no_gap_of_a_client_that_is_silent(session):
    at = session.start_time
    beat(session.pk, Beat(), at=at)
    before = state()
    with full_audit_log(), pytest.raises(AuditFailed):
        end_session(Session.objects.get(pk=session.pk), at=at + timedelta(minutes=1))
    assert state() == before
    beat(session.pk, Beat(), at=at + timedelta(minutes=20))
    assert Event.objects.get(event_type="missing").duration_s == 20 * 60


@pytest.mark.parametrize(
    "path",
    ["/sessions", "/sessions/{id}/events", "/sessions/{id}/video/import", "/sessions/{id}/video", "/sessions/{id}/end"],
)
def test_a_machine_changes_nothing(session, path):
    client = machine(make_staff(is_superuser=True))
    before = state()
    with full_audit_log():
        assert_refused(ask(client, "POST", path.format(id=session.pk)), before)
    assert ask(client, "POST", path.format(id=session.pk)).status_code in (200, 201)


def test_nobody_starts_a_session(session):
    before = state()
    with full_audit_log():
        assert_refused(ask(caller(), "POST", "/sessions"), before)


@pytest.mark.parametrize("path", ["video/link", "report/link", "token"])
def test_nobody_gets_a_link(session, path):
    client = machine(make_staff("Reviewer", "Operator"))
    before = state()
    with full_audit_log():
        answer = ask(client, "POST", f"/sessions/{session.pk}/{path}")
        assert_refused(answer, before)
        assert b"link=" not in answer.content
        assert b"pc." not in answer.content


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/admin/sessions_app/session/{id}/delete/", {"post": "yes"}),
        (
            "/admin/sessions_app/session/?q={id}",
            {"action": "delete_selected", "_selected_action": "{id}", "post": "yes"},
        ),
        ("/admin/sessions_app/session/?q={id}", {"action": "end_sessions", "_selected_action": "{id}", "post": "yes"}),
        ("/admin/sessions_app/session/?q={id}", {"action": "regenerate_reports", "_selected_action": "{id}"}),
        ("/admin/access/apitoken/add/", {"name": "LMS", "owner": "{owner}", "days": "90"}),
        ("/admin/auth/group/add/", {"name": "Interns"}),
        ("/admin/auth/user/{owner}/delete/", {"post": "yes"}),
    ],
)
def test_the_admin_changes_nothing(session, path, form):
    owner = make_staff(is_superuser=True)
    root = caller(signed_in=owner)
    ids = {"id": session.pk, "owner": owner.pk}
    form = {name: value.format(**ids) for name, value in form.items()}
    before = state()
    with full_audit_log():
        answer = root.post(path.format(**ids), form)
        assert_refused(answer, before)
        assert b"pk_" not in answer.content
    assert root.post(path.format(**ids), form).status_code in (200, 302)
    assert state() != before


def test_a_token_that_cannot_be_revoked_on_record_goes_on(session):
    root = make_staff(is_superuser=True)
    client, browser = machine(root), caller(signed_in=root)
    form = {"action": "revoke_tokens", "_selected_action": str(ApiToken.objects.get().pk), "confirmed": "yes"}
    before = state()
    with full_audit_log():
        assert_refused(browser.post("/admin/access/apitoken/", form), before)
    assert ask(client, "GET", "/sessions").status_code == 200


def test_nobody_logs_in(committed_database):
    make_staff("Reviewer", username="rita", password=PASSWORD)
    browser = Client(raise_request_exception=False)
    form = {"username": "rita", "password": PASSWORD}
    with full_audit_log():
        assert browser.post("/admin/login/", form).status_code == 503
    assert browser.get("/admin/").status_code == 302
    assert get_user_model().objects.get(username="rita").is_active
    assert browser.post("/admin/login/?next=/admin/", form).status_code == 302
    assert browser.get("/admin/").status_code == 200


def test_a_wrong_password_gets_no_answer_whether_it_was_right(committed_database):
    make_staff("Reviewer", username="rita", password=PASSWORD)
    browser = Client(raise_request_exception=False)
    with full_audit_log():
        assert browser.post("/admin/login/", {"username": "rita", "password": "x"}).status_code == 503
    assert browser.get("/admin/").status_code == 302


def test_a_candidates_events_go_on_and_write_no_record(session):
    client, events = candidate(session), Event.objects.filter(session_id=session.pk).count()
    records = AuditRecord.objects.count()
    with full_audit_log():
        for _ in range(3):
            assert ask(client, "POST", f"/sessions/{session.pk}/events").status_code == 201
    assert ask(client, "POST", f"/sessions/{session.pk}/events").status_code == 201
    assert Event.objects.filter(session_id=session.pk).count() == events + 4
    assert AuditRecord.objects.count() == records


def test_the_export_of_the_log_itself_gives_no_byte(committed_database):
    browser = caller(signed_in=make_staff("Auditor"))
    send_csrf_token(browser)
    with full_audit_log():
        answer = browser.get("/admin/audit/auditrecord/export/")
        assert answer.status_code == 503
        assert b"logged_in" not in content_of(answer)
    assert browser.get("/admin/audit/auditrecord/export/").status_code == 200


def test_the_failpoint_stops_inserts_into_the_audit_log_and_no_others(committed_database):
    with full_audit_log():
        Session.objects.create(candidate_name="Ada")
        StoredReport.objects.count()
    assert Session.objects.count() == 1
