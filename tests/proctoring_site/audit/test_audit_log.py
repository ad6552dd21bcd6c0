"""Who looked at what, exported it, changed it: recorded once, with the caller, the address and the request."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from media_app.models import Recording
from proctoring_site.access import api_tokens
from proctoring_site.access.models import ApiToken
from proctoring_site.audit.errors import AppendOnlyError
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind
from reports_app import services as reports
from sessions_app import services as sessions
from sessions_app.models import Event, Session
from tests import access, drives
from tests.access import (
    CANDIDATE_NAME,
    EVENT_MESSAGE,
    IMPORTED,
    ask,
    caller,
    candidate,
    clip_bytes,
    content_of,
    machine,
)
from tests.audit_records import recording, told
from tests.factories import make_session, make_staff

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

pytestmark = pytest.mark.usefixtures("database")

ADDRESS, REQUEST_ID = "203.0.113.7", "request-of-a-test"
FROM_THERE = {"REMOTE_ADDR": ADDRESS, "HTTP_X_REQUEST_ID": REQUEST_ID}


def act(client, method, path, *, status=200):
    """The records of one request. Its body is read to the end."""
    with recording() as records:
        answer = ask(client, method, path, **FROM_THERE)
        content = content_of(answer)
        assert answer.status_code == status, content
    return records


class TestLooks:
    LOOKS = (
        ("/sessions/{id}", Action.LOOKED, ObjectKind.SESSION),
        ("/sessions/{id}/report", Action.LOOKED, ObjectKind.REPORT),
        ("/sessions/{id}/report.html", Action.LOOKED, ObjectKind.REPORT),
        ("/sessions/{id}/report.csv", Action.EXPORTED, ObjectKind.REPORT),
        ("/reports/{name}", Action.LOOKED, ObjectKind.REPORT),
        ("/videos/{name}", Action.LOOKED, ObjectKind.VIDEO),
    )

    @pytest.mark.parametrize(("path", "action", "kind"), LOOKS)
    def test_by_staff_with_the_cookie(self, evidence, path, action, kind):
        rita = make_staff("Reviewer", username="rita")
        records = act(caller(signed_in=rita), "GET", evidence.path(path))
        assert told(records) == [(action, kind, evidence.session.pk)]
        record = records[0]
        assert (record.actor_kind, record.actor_id, record.actor_name) == ("user", str(rita.pk), "rita")
        assert (record.address, record.request_id) == (ADDRESS, REQUEST_ID)

    @pytest.mark.parametrize(("path", "action", "kind"), LOOKS)
    def test_by_a_machine_with_its_token(self, evidence, path, action, kind):
        client = machine(make_staff("Reviewer", username="rita"))
        records = act(client, "GET", evidence.path(path))
        assert told(records) == [(action, kind, evidence.session.pk)]
        record, token = records[0], ApiToken.objects.get()
        assert (record.actor_kind, record.actor_id, record.actor_name) == ("token", str(token.pk), "a test of rita")
        assert (record.address, record.request_id) == (ADDRESS, REQUEST_ID)

    @pytest.mark.parametrize("client_of", [lambda user: caller(signed_in=user), machine])
    def test_of_the_list_with_its_ids_and_the_names_of_its_filters(self, evidence, client_of):
        client = client_of(make_staff("Reviewer"))
        records = act(client, "GET", f"/sessions?candidate_name={CANDIDATE_NAME.replace(' ', '+')}&limit=5")
        assert told(records) == [("listed", "session", "")]
        assert records[0].details == {"filters": ["candidate_name", "limit"], "sessions": [evidence.session.pk]}

    def test_what_was_refused_was_not_looked_at(self, evidence):
        for path, _, _ in self.LOOKS:
            assert act(caller(), "GET", evidence.path(path), status=404) == []
        assert act(caller(), "GET", "/sessions", status=404) == []

    def test_a_candidate_looks_at_the_own_session_unrecorded(self, evidence):
        assert act(candidate(evidence.session), "GET", evidence.path("/sessions/{id}")) == []

    @pytest.mark.parametrize(
        ("route", "kind"), [("/sessions/{id}/video/link", "video"), ("/sessions/{id}/report/link", "report")]
    )
    def test_through_a_link_are_those_of_whoever_made_it(self, evidence, route, kind):
        staff = caller(signed_in=make_staff("Reviewer", username="rita"))
        with recording() as records:
            url = ask(staff, "POST", evidence.path(route), **FROM_THERE).json()["url"]
            ask(caller(), "GET", url.removeprefix("http://testserver"), REMOTE_ADDR="198.51.100.9")
        pk = evidence.session.pk
        assert told(records) == [("linked", kind, pk), ("looked", kind, pk)]
        assert [record.actor_kind for record in records] == ["user", "link"]
        assert [record.actor_name for record in records] == ["rita", "rita"]
        assert [record.address for record in records] == [ADDRESS, "198.51.100.9"]


class TestDeeds:
    @pytest.mark.parametrize("who", ["candidate", "Proctor"])
    def test_an_end_by_whom_with_old_and_new_and_only_once(self, evidence, who):
        pk = evidence.session.pk
        proctor = make_staff("Proctor", username="paula")
        client = candidate(evidence.session) if who == "candidate" else caller(signed_in=proctor)
        records = act(client, "POST", f"/sessions/{pk}/end")
        assert told(records) == [("ended", "session", pk)]
        assert records[0].changes == {"state": ["running", "ended"]}
        by = (records[0].actor_kind, records[0].actor_id, records[0].actor_name)
        assert by == (("candidate", pk, "") if who == "candidate" else ("user", str(proctor.pk), "paula"))
        again = candidate(evidence.session) if who == "candidate" else caller(signed_in=make_staff(is_superuser=True))
        assert act(again, "POST", f"/sessions/{pk}/end") == []

    def test_a_start_without_the_name(self):
        records = act(caller(), "POST", "/sessions", status=201)
        assert told(records) == [("created", "session", Session.objects.get().pk)]
        assert (records[0].actor_kind, records[0].address) == ("nobody", ADDRESS)

    def test_an_upload_by_the_candidate(self, evidence):
        pk = evidence.session.pk
        records = act(candidate(evidence.session), "POST", f"/sessions/{pk}/video")
        assert told(records) == [("uploaded", "video", pk)]
        sent = Recording.objects.get(session_id=pk, state="processing")
        assert records[0].details == {"recording": sent.pk, "size_bytes": len(clip_bytes())}
        assert records[0].actor_kind == "candidate"

    def test_an_import_of_a_video_by_a_machine(self, evidence):
        records = act(machine(make_staff("Operator")), "POST", f"/sessions/{evidence.session.pk}/video/import")
        assert told(records) == [("imported", "video", evidence.session.pk)]
        assert records[0].actor_kind == "token"

    def test_events_by_candidates_are_not_recorded_and_by_others_they_are(self, evidence):
        path = f"/sessions/{evidence.session.pk}/events"
        assert act(candidate(evidence.session), "POST", path, status=201) == []
        records = act(machine(make_staff("Operator")), "POST", path, status=201)
        assert told(records) == [("created", "event", evidence.session.pk)]

    def test_a_regeneration_by_a_command(self, evidence):
        with recording() as records:
            call_command("regenerate_reports", evidence.session.pk, verbosity=0)
        assert told(records) == [("regenerated", "report", evidence.session.pk)]
        assert records[0].actor_kind == "command"

    def test_a_deletion_in_the_admin(self, evidence):
        olive, pk = make_staff("Operator", username="olive"), evidence.session.pk
        client = caller(signed_in=olive)
        with recording() as records:
            client.post(f"/admin/sessions_app/session/{pk}/delete/", {"post": "yes"}, **FROM_THERE)
        assert not Session.objects.filter(pk=pk).exists()
        deleted = [record for record in records if record.action == "deleted"]
        assert told(deleted) == [("deleted", "session", pk)]
        assert deleted[0].details == {"events": 1, "video": f"videos/{pk}.webm"}
        assert (deleted[0].actor_name, deleted[0].request_id) == ("olive", REQUEST_ID)

    def test_an_import_of_sessions(self, tmp_path):
        row = {"id": "exam-1", "candidate_name": CANDIDATE_NAME, "start_time": "2026-03-02T12:00:00Z"}
        (tmp_path / "sessions.jsonl").write_text(json.dumps(row))
        with recording() as records:
            call_command("import_sessions", str(tmp_path / "sessions.jsonl"), verbosity=0)
        pk = Session.objects.get().pk
        assert told(records) == [("imported", "session", "")]
        assert records[0].details == {"sessions": [pk], "events": 0}
        with recording() as records:
            call_command("import_sessions", str(tmp_path / "sessions.jsonl"), verbosity=0)
        assert records == []


def test_no_name_of_a_candidate_and_no_message_stands_in_the_log(evidence):
    root = caller(signed_in=make_staff(is_superuser=True))
    pk, rows = evidence.session.pk, 0
    for method, path in (
        ("GET", f"/sessions?candidate_name={CANDIDATE_NAME.replace(' ', '+')}"),
        *(("GET", evidence.path(path)) for path, _, _ in TestLooks.LOOKS),
        ("POST", "/sessions"),
        ("POST", f"/sessions/{pk}/video/import"),
        ("POST", f"/sessions/{pk}/end"),
    ):
        with recording() as records:
            assert ask(root, method, path).status_code in (200, 201, 204), path
        rows += len(records)
    reports.delete_session(evidence.session)
    kept = [str(vars(record)) for record in AuditRecord.objects.all()]
    assert rows == 10
    for secret in (CANDIDATE_NAME, EVENT_MESSAGE, IMPORTED):
        assert not [text for text in kept if secret in text]


class TestNothingIsEverChangedOrDeleted:
    @pytest.fixture
    def record(self):
        rita = make_staff("Reviewer", username="rita")
        act(caller(signed_in=rita), "GET", f"/sessions/{make_session().pk}")
        return AuditRecord.objects.filter(action="looked").get()

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda r: r.save(),
            lambda r: r.save(update_fields=["actor_name"]),
            lambda r: r.delete(),
            lambda r: r.save_base(force_update=True),
            lambda r: AuditRecord.objects.update(actor_name="x"),
            lambda r: AuditRecord.objects.filter(pk=r.pk).update(actor_name="x"),
            lambda r: AuditRecord.objects.all().delete(),
            lambda r: AuditRecord.objects.all()._raw_delete("default"),
            lambda r: AuditRecord.objects.bulk_update([r], ["actor_name"]),
            lambda r: AuditRecord.objects.update_or_create(pk=r.pk, defaults={"actor_name": "x"}),
            lambda r: AuditRecord._base_manager.filter(pk=r.pk).update(actor_name="x"),
            lambda r: AuditRecord._base_manager.filter(pk=r.pk).delete(),
        ],
    )
    def test_not_by_model_or_queryset(self, record, attempt):
        before = list(AuditRecord.objects.order_by("pk").values())
        record.actor_name = "somebody else"
        with pytest.raises(AppendOnlyError):
            attempt(record)
        assert list(AuditRecord.objects.order_by("pk").values()) == before

    def test_not_with_its_object_and_not_with_its_actor(self, record):
        Session.objects.get(pk=record.object_id).delete()
        get_user_model().objects.get(username="rita").delete()
        kept = AuditRecord.objects.get(pk=record.pk)
        assert (kept.actor_name, kept.object_id) == ("rita", record.object_id)

    @pytest.mark.parametrize("path", ["{pk}/change/", "{pk}/delete/", "add/", ""])
    def test_not_in_the_admin_by_a_superuser(self, record, path):
        before = list(AuditRecord.objects.order_by("pk").values())
        root = caller(signed_in=make_staff(is_superuser=True))
        form = {"actor_name": "x", "post": "yes", "action": "delete_selected", "_selected_action": [str(record.pk)]}
        answer = root.post(f"/admin/audit/auditrecord/{path.format(pk=record.pk)}", form)
        assert answer.status_code in ({200, 302} if path == "" else {403, 404})
        assert list(AuditRecord.objects.filter(pk__in=[row["id"] for row in before]).order_by("pk").values()) == before
        assert AuditRecord.objects.get(pk=record.pk).actor_name == "rita"


def test_records_say_who_the_token_is_even_when_it_is_gone(evidence):
    olive = make_staff("Reviewer", username="olive")
    client = machine(olive)
    act(client, "GET", evidence.path("/sessions/{id}"))
    token = ApiToken.objects.get()
    api_tokens.revoke(token)
    olive.delete()
    assert not ApiToken.objects.exists()
    kept = AuditRecord.objects.get(action="looked")
    assert (kept.actor_id, kept.actor_name) == (str(token.pk), "a test of olive")


def test_an_end_that_another_made_first_is_not_claimed(evidence):
    sessions.end_session(Session.objects.get(pk=evidence.session.pk))
    with recording() as records:
        sessions.end_session(Session.objects.get(pk=evidence.session.pk))
    assert records == []
    assert Event.objects.filter(session_id=evidence.session.pk).count() == 1
