"""`manage.py load_demo`: three sessions of different character, one with a video; twice changes nothing."""

import io

import pytest
from django.core.management import call_command

from media_app.models import Recording
from media_app.video import WEBM, identify
from proctoring_site.launch import demo
from sessions_app import services
from sessions_app.models import Event, Session
from tests.drives import data_dir, stored  # noqa: F401 - data_dir is a fixture
from tests.factories import NOON, log_event

pytestmark = pytest.mark.usefixtures("database", "data_dir")


def load_demo(*options):
    out = io.StringIO()
    call_command("load_demo", *options, stdout=out)
    return out.getvalue()


def everything():
    return list(Session.objects.order_by("id").values()), list(Event.objects.order_by("id").values())


def test_it_stores_three_sessions_of_different_character():
    assert load_demo() == "3 demo sessions new, 0 already there.\n"
    sessions = {session.pk: session for session in Session.objects.all()}
    assert set(sessions) == {demo.CALM, demo.BUSY, demo.RUNNING}
    bands = {pk: services.score(session).risk_band for pk, session in sessions.items()}
    assert bands == {demo.CALM: "low", demo.BUSY: "high", demo.RUNNING: "medium"}
    assert [sessions[pk].state for pk in (demo.CALM, demo.BUSY, demo.RUNNING)] == ["ended", "ended", "running"]
    assert all("demo" in session.candidate_name for session in sessions.values())


def test_the_counts_are_those_of_the_stored_events():
    load_demo()
    for session in Session.objects.all():
        assert sum(session.counts.values()) == session.events.count() > 0


def test_one_has_a_real_video(data_dir):  # noqa: F811 - the fixture
    load_demo()
    filmed = Session.objects.with_video().get()
    assert filmed.pk == demo.BUSY
    recording = Recording.objects.get(name=filmed.video_name)
    assert stored(data_dir / "videos") == [recording.original]
    with (data_dir / "videos" / recording.original).open("rb") as file:
        assert identify(file) == WEBM


def test_a_second_run_changes_nothing(data_dir):  # noqa: F811
    load_demo()
    before, video = everything(), (data_dir / "videos" / Recording.objects.get().original).stat().st_ino
    assert load_demo() == "0 demo sessions new, 3 already there.\n"
    assert everything() == before
    assert (data_dir / "videos" / Recording.objects.get().original).stat().st_ino == video


def test_what_was_reported_since_stays():
    load_demo()
    log_event(demo.RUNNING, services.Reported("phone_detected"))
    load_demo()
    assert Session.objects.get(pk=demo.RUNNING).counts["phone_detected"] == 1


def test_a_dry_run_writes_nothing(data_dir):  # noqa: F811
    assert load_demo("--dry-run") == "3 demo sessions would be new, 0 already there.\n"
    assert everything() == ([], [])
    assert stored(data_dir / "videos") == []


def test_the_sessions_lie_in_the_hours_before_the_given_instant():
    demo.load(at=NOON)
    assert all(NOON.date() == session.start_time.date() for session in Session.objects.all())
    assert all(event.timestamp < NOON for event in Event.objects.all())
