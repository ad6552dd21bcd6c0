"""`manage.py regenerate_reports`: recount, and render anew, which sessions one asks for."""

import io
from datetime import timedelta

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command

from reports_app import services
from reports_app.renderers import FORMATS
from sessions_app import services as sessions
from sessions_app.models import Event, Session
from tests.drives import stored
from tests.factories import NOON, make_event, make_session, old_event, old_session, write_old_documents

pytestmark = pytest.mark.usefixtures("database", "data_dir")


def regenerate(*options):
    out = io.StringIO()
    call_command("regenerate_reports", *options, stdout=out)
    return out.getvalue()


def names(*sessions):
    return sorted(services.file_name(session.pk, name) for session in sessions for name in FORMATS)


def test_it_renders_every_format_of_every_session(data_dir):
    first, second = make_session(), make_session()
    assert regenerate() == "2 sessions: 2 rendered, 0 left as they were.\n"
    assert stored(data_dir / "reports") == names(first, second)
    assert all(services.all_current(session) for session in Session.objects.all())


def test_it_renders_only_the_named_sessions(data_dir):
    first, _ = make_session(), make_session()
    assert regenerate(first.pk) == "1 sessions: 1 rendered, 0 left as they were.\n"
    assert stored(data_dir / "reports") == names(first)


def test_an_unknown_id_is_named_and_nothing_is_written(data_dir):
    known = make_session()
    with pytest.raises(CommandError, match="no session nobody"):
        regenerate(known.pk, "nobody")
    assert stored(data_dir / "reports") == []


@pytest.fixture
def going(monkeypatch):
    """One that somebody deletes as soon as its turn comes."""
    gone, plain = make_session(), services.record

    def record(action, kind, pk, **details):
        plain(action, kind, pk, **details)
        if pk == gone.pk:
            sessions.delete_session(gone)

    monkeypatch.setattr(services, "record", record)
    return gone


def test_one_that_is_deleted_meanwhile_is_left_out_and_the_others_are_rendered(going, data_dir):
    other = make_session(start_time=going.start_time - timedelta(days=1))
    summary, left = regenerate().splitlines()
    assert summary == "2 sessions: 1 rendered, 1 left as they were."
    assert left == f"Deleted meanwhile, or with an id that is not text: {going.pk}."
    assert stored(data_dir / "reports") == names(other)


def test_one_whose_id_is_no_text_is_named(data_dir):
    other, odd = make_session(), old_session(_id=ObjectId())
    write_old_documents([odd])
    for dry in ([], ["--dry-run"]):
        said = f"Deleted meanwhile, or with an id that is not text: {odd['_id']}."
        assert regenerate(*dry).splitlines()[1:] == [said]
    assert stored(data_dir / "reports") == names(other)


def test_in_the_admin_too(going, data_dir, as_staff):
    other = make_session(start_time=going.start_time - timedelta(days=1))
    form = {"action": "regenerate_reports", "_selected_action": [going.pk, other.pk]}
    page = as_staff("Operator").post("/admin/sessions_app/session/", form, follow=True)
    assert "were regenerated: 1." in page.content.decode()
    assert stored(data_dir / "reports") == names(other)


def test_without_sessions_there_is_nothing_to_do():
    assert regenerate() == "0 sessions: 0 rendered, 0 left as they were.\n"


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--from", "2026-03-03"], [1, 2]),
        (["--before", "2026-03-03T12:00:00Z"], [0]),
        (["--before", "2026-03-03T12:00:00.001Z"], [0, 1]),
        (["--from", "2026-03-03T14:00:00+02:00", "--before", "2026-03-04"], [1]),
        (["--from", "2027-01-01"], []),
    ],
)
def test_it_renders_the_sessions_that_started_in_the_range(data_dir, options, days):
    all_days = [make_session(start_time=NOON + timedelta(days=day)) for day in range(3)]
    regenerate(*options)
    assert stored(data_dir / "reports") == names(*[all_days[day] for day in days])


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_a_date_that_is_none_is_refused(text):
    with pytest.raises(CommandError, match="not a date"):
        regenerate("--from", text)


def test_only_stale_leaves_alone_what_is_current(data_dir):
    current, stale, never = make_session(), make_session(), make_session()
    regenerate(current.pk, stale.pk)
    make_event(stale)
    before = {path.name: path.stat().st_ino for path in (data_dir / "reports").glob("*.*")}
    assert regenerate("--only-stale") == "3 sessions: 2 rendered, 1 left as they were.\n"
    assert stored(data_dir / "reports") == names(current, stale, never)
    after = {path.name: path.stat().st_ino for path in (data_dir / "reports").glob("*.*")}
    assert [before[name] == after[name] for name in names(current)] == [True, True]
    assert [before[name] == after[name] for name in names(stale)] == [False, False]
    assert regenerate("--only-stale") == "3 sessions: 0 rendered, 3 left as they were.\n"


def test_a_session_with_one_missing_format_is_stale(data_dir):
    session = make_session()
    regenerate()
    (data_dir / "reports" / services.file_name(session.pk, "csv")).unlink()
    assert regenerate("--only-stale").startswith("1 sessions: 1 rendered")
    assert stored(data_dir / "reports") == names(session)


def test_a_dry_run_says_how_many_and_writes_nothing(data_dir):
    session = old_session()
    write_old_documents([session], [old_event(session)])
    make_session()
    for options in ([], ["--only-stale"]):
        assert regenerate("--dry-run", *options) == "2 sessions: 2 would be rendered, 0 left as they were.\n"
    assert stored(data_dir / "reports") == []
    assert Session.objects.get(pk=session["_id"]).event_counts is None


def test_counts_are_brought_in_line_with_the_stored_events(data_dir):
    """A crash between counting and storing, and an event that was taken out by hand."""
    session = make_session()
    for event_type in ("phone_detected", "phone_detected", "focus_lost"):
        make_event(session, event_type=event_type)
    Event.objects.filter(event_type="phone_detected").first().delete()
    regenerate(session.pk)
    found = Session.objects.get(pk=session.pk)
    assert found.counts == {"phone_detected": 1, "focus_lost": 1}
    assert sessions.score(found).integrity_score == 83
    page = (data_dir / "reports" / services.file_name(session.pk, "html")).read_text("utf-8")
    assert "100 − 17 = 83" in page
    assert services.all_current(found)


def test_a_closed_session_whose_counts_are_mended_is_scored_and_ranked_anew():
    session = sessions.end_session(make_session())
    assert (session.machine_score, session.reviewed_band, session.open_incidents) == (100, "low", 0)
    Event.objects.bulk_create(Event(session_id=session.pk, event_type="phone_detected") for _ in range(4))
    regenerate(session.pk)
    found = Session.objects.get(pk=session.pk)
    assert (found.machine_score, found.reviewed_band) == (sessions.score(found).integrity_score, "high")
    assert found.open_incidents == 1
    assert found.queue_rank < session.queue_rank


def test_an_adopted_session_is_counted(data_dir):
    session = old_session()
    write_old_documents([session], [old_event(session, event_type="phone_detected")])
    regenerate()
    assert Session.objects.get(pk=session["_id"]).counts == {"phone_detected": 1}
    assert services.all_current(Session.objects.get(pk=session["_id"]))
