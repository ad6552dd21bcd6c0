"""`manage.py delete_sessions`: what was kept long enough goes, with everything of it."""

import io
from datetime import timedelta

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command

from proctoring_site.audit.models import Action, AuditRecord
from reports_app import services
from sessions_app.models import Event, Session
from tests import deta_drive
from tests.drives import stored
from tests.factories import NOON, make_event, make_session, old_session, write_old_documents
from tests.plans import explain

pytestmark = pytest.mark.usefixtures("data_dir")
deta_service, deta = deta_drive.deta_service, deta_drive.deta

BEFORE_NOON = ("--ended-before", "2026-03-02T12:00Z")


def delete(*options):
    out = io.StringIO()
    call_command("delete_sessions", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def old(database):
    """Ended and decided on, with an event and a report."""
    session = make_session(end_time=NOON - timedelta(minutes=1), review_outcome="passed")
    make_event(session)
    services.ensure_stored(session, "html")
    return session


def test_it_deletes_what_ended_before_and_nothing_that_did_not(old, data_dir):
    written = make_session(start_time=NOON - timedelta(days=9)), make_session(end_time=NOON)
    assert delete(*BEFORE_NOON, "--dry-run") == "Sessions that would be deleted: 1. Of all 1, without a decision: 0.\n"
    assert Session.objects.count() == 3
    assert delete(*BEFORE_NOON) == "Sessions deleted: 1. Of all 1, without a decision: 0.\n"
    assert set(Session.objects.all()) == set(written)
    assert (Event.objects.count(), stored(data_dir / "reports")) == (0, [])
    (told,) = AuditRecord.objects.filter(action=Action.DELETED)
    assert (told.actor_kind, told.object_id) == ("command", old.pk)
    assert delete(*BEFORE_NOON).startswith("Sessions deleted: 0.")


def test_it_deletes_those_that_are_named_also_while_they_run(old):
    running = make_session()
    assert delete(running.pk) == "Sessions deleted: 1. Of all 1, without a decision: 1.\n"
    assert Session.objects.get() == old


def test_one_that_is_not_there_is_named_and_keeps_no_other(old):
    with pytest.raises(CommandError, match="Not found, or already deleted: nobody"):
        delete("nobody", old.pk)
    assert not Session.objects.exists()


@pytest.mark.parametrize("which", [[], ["some-id", *BEFORE_NOON]], ids=["none", "both"])
def test_without_saying_which_nothing_is_deleted(old, which):
    with pytest.raises(CommandError, match="Nothing was deleted"):
        delete(*which)
    assert Session.objects.get() == old


def test_of_one_whose_storage_fails_it_says_so_and_the_next_run_deletes_it(old, settings, deta):
    settings.STORAGE_BACKEND, deta.always = "deta", 403
    with pytest.raises(CommandError, match="1 could not be deleted"):
        delete(*BEFORE_NOON)
    assert Session.objects.get() == old
    deta.always = 0
    assert delete(*BEFORE_NOON).startswith("Sessions deleted: 1.")


@pytest.mark.parametrize("odd", [ObjectId(), {"exam": 1}], ids=["ObjectId", "object"])
def test_one_whose_id_is_no_text_is_left_and_told_as_such(old, odd):
    write_old_documents([old_session(_id=odd, end_time=(NOON - timedelta(days=1)).replace(tzinfo=None))])
    _, left = delete(*BEFORE_NOON).splitlines()
    assert left.startswith("1 were left because their id is not text")
    assert Session.objects.count() == 1


def test_it_finds_them_by_an_index(committed_database):
    make_session(end_time=NOON - timedelta(days=1))
    assert explain(Session.objects.ended_before(NOON)).uses_index
