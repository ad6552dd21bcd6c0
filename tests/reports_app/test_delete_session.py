"""Deleting a session takes all of it, and can be finished when it was cut off."""

import os
import signal
import subprocess
import sys

import pytest
from django.core.files import File
from django.core.files.storage import storages
from django.db import connection
from orjson import Fragment

from media_app import processing
from media_app.models import Recording
from media_app.services import attach_video
from proctoring_site.jobs.models import Job
from reports_app import services
from reports_app.models import StoredReport
from reports_app.renderers import FORMATS
from sessions_app.errors import SessionNotFound
from sessions_app.models import Event, Session, now
from tests import clips
from tests.factories import make_event, make_session
from tests.servers import REPOSITORY


def files():
    return {drive: set(storages[drive].listdir("")[1]) for drive in ("videos", "reports")}


def nothing_is_left_of(session):
    return not (
        any(session.pk in name for names in files().values() for name in names)
        or StoredReport.objects.filter(session_id=session.pk).exists()
        or Recording.objects.filter(session_id=session.pk).exists()
    )


@pytest.fixture
def whole_session(database, tmp_path):
    """With events, a video and every report."""
    session = make_session()
    make_event(session)
    with clips.clip(tmp_path, ".webm").open("rb") as file:
        session = attach_video(session, File(file, name="clip.webm"))
    for form in FORMATS:
        services.ensure_stored(session, form)
    return session


def test_it_takes_events_video_and_reports(whole_session):
    other = make_session()
    make_event(other)
    other.refresh_from_db()
    services.ensure_stored(other, "html")
    services.delete_session(whole_session)
    assert list(Session.objects.all()) == [other]
    assert list(Event.objects.values_list("session_id", flat=True)) == [other.pk]
    assert not any(whole_session.pk in name for names in files().values() for name in names)
    assert set(StoredReport.objects.values_list("session_id", flat=True)) == {other.pk}
    assert services.file_name(other.pk, "html") in files()["reports"]


def test_it_finishes_what_was_cut_off(whole_session):
    storages["videos"].delete(whole_session.video_name)
    Event.objects.filter(session_id=whole_session.pk).delete()
    services.delete_session(whole_session)
    assert not Session.objects.exists()
    services.delete_session(whole_session)


def test_it_takes_what_is_asked_for_meanwhile(whole_session, monkeypatch):
    plain = services.sessions.delete_session

    def ask_meanwhile(session):
        services.store(session, "html")
        plain(session)

    monkeypatch.setattr(services.sessions, "delete_session", ask_meanwhile)
    services.delete_session(whole_session)
    assert nothing_is_left_of(whole_session)


def test_no_report_of_a_deleted_session_is_stored(whole_session):
    services.delete_session(whole_session)
    with pytest.raises(SessionNotFound):
        services.store(whole_session, "html")
    assert nothing_is_left_of(whole_session)


def test_a_session_that_is_deleted_while_it_is_rendered_is_not_there(whole_session, monkeypatch):
    """The second try of a report looks for the session as it then is."""
    monkeypatch.setattr(services.unchanged, "digest_of", lambda name: services.sessions.delete_session(whole_session))
    with pytest.raises(SessionNotFound):
        services.store(whole_session, "html")


def test_nor_one_that_was_begun_before_and_misses_its_events_then(whole_session, monkeypatch):
    ended, plain = services.sessions.end_session(whole_session), services.events_of

    def delete_meanwhile(session):
        services.delete_session(ended)
        return plain(session)

    monkeypatch.setattr(services, "events_of", delete_meanwhile)
    with pytest.raises(SessionNotFound):
        services.store(Session.objects.get(pk=ended.pk), "html")
    assert nothing_is_left_of(ended)


def test_it_takes_what_this_process_kept_of_its_report(whole_session):
    name, document = services.file_name(whole_session.pk, "html"), services.sessions.find_document(whole_session.pk)
    for _ in range(2):  # as it is stored, and as it is found current
        services.json_of(document, to_json=lambda report: Fragment(report.candidate_name.encode()))
    assert name in services.unchanged._answers
    services.delete_session(whole_session)
    assert name not in {*services.unchanged._answers, *services.unchanged._digests}


def test_no_video_comes_to_a_deleted_session(whole_session, tmp_path):
    services.delete_session(whole_session)
    with clips.clip(tmp_path, ".webm").open("rb") as file, pytest.raises(SessionNotFound):
        attach_video(whole_session, File(file, name="clip.webm"))
    assert nothing_is_left_of(whole_session)


def test_nor_to_one_that_is_deleted_in_that_moment(database, tmp_path, api, monkeypatch):
    session, plain = make_session(), processing.queue

    def queue(recording):
        plain(recording)
        services.sessions.delete_session(session)  # between the two looks for files of who deletes it

    monkeypatch.setattr(processing, "queue", queue)
    with clips.clip(tmp_path, ".webm").open("rb") as file:
        assert api.post(f"/sessions/{session.pk}/video", {"file": file}).status_code == 404


def test_it_leaves_a_file_that_may_be_another_sessions(whole_session):
    adopted = make_session(video_path=f"data/videos/{whole_session.video_name}")
    services.delete_session(adopted)
    assert Recording.objects.get(session_id=whole_session.pk).original in files()["videos"]


#: What comes while the files are gone and the session is not yet, and an event that was under way; then kill -9.
KILLED = """
import os, signal, sys
import django
django.setup()
from django.core.files import File
from media_app.services import attach_video
from reports_app import services
from sessions_app.models import Event, Session

session, plain = Session.objects.get(), services.sessions.delete_session

def delete(session):
    with open(sys.argv[1], "rb") as file:
        attach_video(session, File(file, name="clip.webm"))
    services.store(session, "html")
    plain(session)

def end(session_id):
    Event.objects.create(session_id=session_id, event_type="focus_lost")
    os.kill(os.getpid(), signal.SIGKILL)

services.sessions.delete_session = delete
services.sessions.changes.delete = end
services.delete_session(session)
"""


class TestADeletionThatIsKilledBeforeItLooksAgain:
    def left(self, session):
        return [not nothing_is_left_of(session), Event.objects.filter(session_id=session.pk).exists()]

    def test_has_what_came_meanwhile_deleted_all_the_same(self, committed_database, run_jobs, data_dir, tmp_path):
        session, clip = make_session(), clips.clip(tmp_path, ".webm")
        names = {"MONGODB_DATABASE": connection.settings_dict["NAME"], "DATA_DIR": str(data_dir)}
        command = [sys.executable, "-c", KILLED, str(clip)]
        assert subprocess.run(command, env={**os.environ, **names}, cwd=REPOSITORY).returncode == -signal.SIGKILL
        assert not Session.objects.exists()
        assert self.left(session) == [True, True]
        Job.objects.exclude(task="deleted_session").delete()  # what the upload wants done cleans up after itself
        assert run_jobs() == 0  # not before who deletes could have done it
        Job.objects.update(not_before=now())
        assert run_jobs() == 1
        assert self.left(session) == [False, False]

    @pytest.mark.usefixtures("database")
    def test_is_looked_at_later_again_while_the_session_is_there(self, run_jobs, monkeypatch):
        session, looks = make_session(), 0
        monkeypatch.setattr(services, "_delete_files", lambda session: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            services.delete_session(session)
        monkeypatch.undo()
        while Job.objects.filter(state="waiting").update(not_before=now()):
            looks += run_jobs()
        assert (looks, Session.objects.get()) == (len(services.LOOKS_AFTER_S), session)

    @pytest.mark.usefixtures("database")
    def test_leaves_a_session_alone_that_was_imported_again(self, whole_session, run_jobs):
        services.delete_session(whole_session)
        again = make_session(id=whole_session.pk)
        make_event(again)
        Job.objects.update(not_before=now())
        run_jobs()
        assert Event.objects.get().session_id == again.pk
