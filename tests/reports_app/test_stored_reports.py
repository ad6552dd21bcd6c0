"""Stored reports: rendered when something changed and only then; never stale, never torn, whoever writes at once."""

import random
import re
import threading
from datetime import datetime, timedelta

import pytest
from bson import Decimal128
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection

from reports_app import services, verification
from reports_app.models import StoredReport
from reports_app.renderers import FORMATS
from sessions_app import counters
from sessions_app import services as sessions
from sessions_app.models import Event, Session, now
from tests import clips
from tests.callers import bearing
from tests.drives import unfinished
from tests.factories import (
    NOON,
    log_event,
    make_api_token,
    make_event,
    make_session,
    make_staff,
    old_event,
    old_session,
    write_old_documents,
)

ROUTES = {"html": "report.html", "csv": "report.csv"}


@pytest.fixture
def get(api, data_dir):
    """Ask for a report; answers with its text and what identifies the stored file: a rendering makes a new one."""

    def get_report(session, format_name="html"):
        answer = api.get(f"/sessions/{session.pk}/{ROUTES[format_name]}")
        assert answer.status_code == 200
        path = data_dir / "reports" / f"report_{session.pk}.{format_name}"
        return answer.getvalue().decode(), (path.stat().st_ino, path.stat().st_mtime_ns)

    return get_report


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("format_name", FORMATS)
class TestAStoredReport:
    def test_is_not_rendered_again_while_nothing_changes(self, get, api, format_name):
        session = make_session()
        make_event(session)
        first = get(session, format_name)
        api.get(f"/sessions/{session.pk}")
        api.get(f"/sessions/{session.pk}/report")
        assert get(session, format_name) == first

    def test_is_rendered_anew_after_an_event(self, get, format_name):
        session = make_session()
        _, before = get(session, format_name)
        make_event(session, message="something new")
        text, after = get(session, format_name)
        assert before != after
        assert "something new" in text

    def test_is_rendered_anew_after_the_end(self, get, format_name):
        session = make_session()
        assert "2026-03-02" in get(session, format_name)[0]
        _, before = get(session, format_name)
        sessions.end_session(session, at=NOON)
        text, after = get(session, format_name)
        assert before != after
        assert "ended" in text

    def test_is_rendered_anew_after_a_video(self, get, api, settings, format_name):
        session = make_session()
        _, before = get(session, format_name)
        clips.clip(settings.VIDEO_IMPORT_DIR, ".webm", name="a")
        answer = api.post(f"/sessions/{session.pk}/video/import", {"filename": "a.webm"}, format="json")
        assert answer.status_code == 200
        assert get(session, format_name)[1] != before

    def test_is_rendered_anew_under_other_weights_and_again_under_the_old(self, get, settings, format_name):
        session = make_session()
        make_event(session, event_type="tab_hidden")
        first, _ = get(session, format_name)
        settings.SCORE_WEIGHTS = {"tab_hidden": 61}
        second, _ = get(session, format_name)
        assert "39" in second
        assert "39" not in first.replace(session.pk, "")
        settings.SCORE_WEIGHTS = {}
        assert get(session, format_name)[0] == first

    def test_is_rendered_anew_when_its_file_is_gone(self, get, data_dir, format_name):
        session = make_session()
        first, _ = get(session, format_name)
        (data_dir / "reports" / f"report_{session.pk}.{format_name}").unlink()
        assert get(session, format_name)[0] == first

    @pytest.mark.parametrize("content", [b"", b"<p>Everything was fine.</p>"])
    def test_is_rendered_anew_when_its_file_is_another(self, get, format_name, content):
        """A slower writer put its older file over it, or somebody changed it."""
        session = make_session()
        first, _ = get(session, format_name)
        storages["reports"].save(f"report_{session.pk}.{format_name}", ContentFile(content))
        assert get(session, format_name)[0] == first

    def test_of_a_later_life_of_the_session_is_rendered_anew(self, get, format_name):
        """The session's document was restored from a backup: its revisions begin again, below the recorded one."""
        session = make_session()
        get(session, format_name)
        StoredReport.objects.update(revision=99)
        make_event(session, message="after the restore")
        text, _ = get(session, format_name)
        assert "after the restore" in text
        assert services.is_current(Session.objects.get(pk=session.pk), format_name)

    def test_without_an_event_that_is_counted_and_not_yet_stored_does_not_pass_for_current(self, get, format_name):
        session = make_session()
        get(session, format_name)
        counters.count_events({session.pk: {"focus_lost": 1}}, weighed={})
        get(session, format_name)
        assert not services.is_current(Session.objects.get(pk=session.pk), format_name)
        Event.objects.create(session=session, event_type="focus_lost", message="stored at last", timestamp=NOON)
        text, _ = get(session, format_name)
        assert "stored at last" in text
        assert services.is_current(Session.objects.get(pk=session.pk), format_name)

    def test_of_an_adopted_session_is_current_too(self, get, format_name):
        session = old_session()
        write_old_documents([session], [old_event(session, event_type="phone_detected")])
        adopted = Session(pk=session["_id"])
        first = get(adopted, format_name)
        assert "85" in first[0]
        assert get(adopted, format_name) == first

    def test_leaves_no_unfinished_file(self, get, data_dir, format_name):
        get(make_session(), format_name)
        assert unfinished(data_dir) == []


@pytest.mark.usefixtures("committed_database")
@pytest.mark.parametrize(
    "odd",
    [3.0, 2.0**53, 1e300, -1e300, float("nan"), Decimal128("3"), Decimal128("1E+300"), True, "seven", None, -5],
    ids=repr,
)
def test_of_a_session_with_an_odd_revision_it_follows_every_change(get, odd):
    """Theirs, from before it was adopted: what may be no whole number, or none that a step of one changes."""
    session = make_session()
    connection.database["sessions"].update_one({"_id": session.pk}, {"$set": {"revision": odd}})
    get(session)
    for event_type in ("phone_detected", "no_face"):
        make_event(session, event_type=event_type)
        text, file = get(session)
        assert event_type in text
        assert get(session)[1] == file
    assert "running" in text
    sessions.end_session(session, at=NOON)
    assert "ended" in get(session)[0]


class TestManyAtOnce:
    """Threads that log events and read reports of one session, with real commits."""

    THREADS = 8
    ROUNDS = 12

    @pytest.fixture
    def session(self, committed_database, data_dir):
        return make_session()

    @pytest.fixture
    def reviewer_token(self, committed_database):
        return make_api_token(make_staff("Reviewer"))

    def run(self, work):
        """Each thread does its rounds; what went wrong comes back as texts."""
        wrong, start = [], threading.Barrier(self.THREADS)

        def thread(number):
            chance = random.Random(number)
            start.wait()
            for turn in range(self.ROUNDS):
                try:
                    wrong.extend(work(chance, f"thread {number} turn {turn}"))
                except Exception as error:
                    wrong.append(repr(error))
            connection.close()

        threads = [threading.Thread(target=thread, args=[number]) for number in range(self.THREADS)]
        for running in threads:
            running.start()
        for running in threads:
            running.join()
        return wrong

    def test_no_request_fails_and_no_file_is_torn(self, session, as_candidate, reviewer_token):
        def work(chance, message):
            reported = {"event_type": "focus_lost", "message": message}
            event = as_candidate(session).post(f"/sessions/{session.pk}/events", reported, format="json")
            if event.status_code != 201:
                yield f"event: {event.status_code}"
            for path in ("report", "report.html", "report.csv"):
                answer = bearing(reviewer_token).get(f"/sessions/{session.pk}/{path}")
                body = answer.getvalue() if answer.streaming else answer.content
                if answer.status_code != 200:
                    yield f"{path}: {answer.status_code}"
                elif path == "report.html" and not body.rstrip().endswith(b"</html>"):
                    yield f"a torn page of {len(body)} bytes"
                elif path == "report.csv" and not body.endswith(b"\r\n"):
                    yield f"a torn table of {len(body)} bytes"

        assert self.run(work) == []
        expected = self.THREADS * self.ROUNDS
        found = Session.objects.get(pk=session.pk)
        assert found.counts == {"focus_lost": expected}
        for format_name in FORMATS:
            name = services.ensure_stored(found, format_name)
            text = storages["reports"].open(name).read().decode()
            assert text.count("thread ") == expected
            assert services.is_current(found, format_name)

    def test_a_report_that_passes_for_current_always_shows_its_revision(self, session):
        """Writers start from whichever state they read, late ones included; what they leave must be told apart."""
        snapshots = []

        def work(chance, message):
            snapshots.append(Session.objects.get(pk=session.pk))
            log_event(session.pk, sessions.Reported("focus_lost", message=message, timestamp=NOON))
            services.store(chance.choice(snapshots), "html")
            return []

        assert self.run(work) == []
        found = Session.objects.get(pk=session.pk)
        text = storages["reports"].open(services.file_name(found.pk, "html")).read().decode()
        if services.is_current(found, "html"):
            assert text.count("<td>thread ") == self.THREADS * self.ROUNDS
        services.ensure_stored(found, "html")
        text = storages["reports"].open(services.file_name(found.pk, "html")).read().decode()
        assert text.count("<td>thread ") == self.THREADS * self.ROUNDS

    def test_readers_of_an_unchanged_session_leave_a_current_file(self, session, reviewer_token):
        for number in range(50):
            make_event(session, message=f"event {number}")

        def work(chance, message):
            answer = bearing(reviewer_token).get(f"/sessions/{session.pk}/report.html")
            if answer.status_code != 200 or answer.getvalue().count(b"<td>event ") != 50:
                yield message

        assert self.run(work) == []
        assert services.is_current(Session.objects.get(pk=session.pk), "html")


@pytest.mark.usefixtures("database")
def test_what_came_too_late_is_told_as_often_as_it_was_sent(api, get, settings):
    session = make_session(end_time=now() - timedelta(seconds=settings.EVENT_GRACE_S + 1))
    path = f"/sessions/{session.pk}"

    def told():
        report, (csv, _), (page, _) = api.get(f"{path}/report").json(), get(session, "csv"), get(session)
        assert f"too_late_events,{report['too_late_events']}" in csv
        events = re.search(r"Came too late, not kept</dt><dd>(\d+) events?, every sending counted; the last", page)
        assert report["too_late_events"] == int(events[1] if events else 0)
        return report["too_late_events"], report["too_late_last_at"]

    assert told() == (0, None)
    adopted = {"$set": {"too_late": "something else"}}
    connection.get_collection("sessions").update_one({}, adopted, session=connection.session)
    one, stored = {"event_type": "no_face"}, Session.objects.get()
    for sent in ("events", one), ("events/batch", {"events": [one] * 3}), ("events", one):
        assert api.post(f"{path}/{sent[0]}", sent[1], format="json").json()["code"] == "session_closed"
    events, last_at = told()
    assert events == 5
    assert now() - timedelta(minutes=1) < datetime.fromisoformat(last_at) <= now()
    assert Session.objects.get().revision == stored.revision
    assert not Event.objects.exists()


def test_they_are_verified_however_long_each_takes(committed_database, data_dir):
    """A server ends a cursor that nobody asks for ten minutes. There is one where not all is read by then: an answer
    holds 16 MB, and the ORM reads 2,000 rows at a time."""
    reports, count = connection.get_collection(StoredReport._meta.db_table), 2_200
    reports.insert_many([{"_id": f"report_{n:04}.html", "fingerprint": "x" * 8_300} for n in range(count)])
    findings = verification.verify(hashes=True)
    assert next(findings).name == "report_0000.html"
    admin = connection.database.client.admin
    idle = {"type": "idleCursor", "ns": reports.full_name}
    for one in admin.aggregate([{"$currentOp": {"idleCursors": True}}, {"$match": idle}]):
        connection.database.command("killCursors", reports.name, cursors=[one["cursor"]["cursorId"]])
    assert sum(1 for _ in findings) == count - 1
