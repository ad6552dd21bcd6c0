"""A database that comes from before there were scores: what `migrate` sees to."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from proctoring_site.jobs.models import Job
from tests.factories import naive, old_session, write_old_documents
from tests.sessions_app.review.sittings import END

pytestmark = pytest.mark.usefixtures("committed_database")


def test_the_migration_has_closed_sessions_scored_in_the_background_and_no_others():
    migration = import_module("sessions_app.review.migrations.0002_score_adopted")
    with connection.schema_editor() as editor:
        migration.queue(None, editor)
        assert not Job.objects.exists()
        write_old_documents([old_session()])
        migration.queue(None, editor)
        assert Job.objects.get().key == "adopted:later", "the release before may yet close it"
        write_old_documents([old_session(end_time=naive(END))])
        for _ in range(2):
            migration.queue(None, editor)
    soon, later = Job.objects.order_by("not_before")
    assert {(job.task, job.state) for job in (soon, later)} == {("score_adopted", "waiting")}
    assert later.not_before - soon.not_before > timedelta(minutes=59), "what the release before closes meanwhile, too"


def test_fields_of_theirs_with_our_names_are_set_aside():
    migration = import_module("sessions_app.migrations.0006_review")
    write_old_documents([old_session(_id="theirs", due_at="soon", policy_version="A")])
    with connection.schema_editor() as editor:
        for _ in range(2):
            migration.set_aside(None, editor)
    (stored,) = connection.database["sessions"].find()
    assert stored["adopted"] == {"due_at": "soon", "policy_version": "A"}
    assert "due_at" not in stored
