"""Closed sessions from before there were scores get theirs, in the background."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from proctoring_site.jobs.queue import submit
from sessions_app.review import scores

#: A server of the release before scores that still serves while this one is rolled out closes sessions without one.
ROLLED_OUT_AFTER_S = 3600


def queue(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    sessions = schema_editor.connection.database["sessions"]
    if sessions.find_one(scores.UNSCORED, {"_id": 1}):
        submit(scores.score_adopted_later, "adopted:0")
    if sessions.find_one({}, {"_id": 1}):  # also where none is closed yet
        submit(scores.score_adopted_later, "adopted:later", pause_s=ROLLED_OUT_AFTER_S)


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0001_initial"),
        ("sessions_app", "0006_review"),
        ("jobs", "0001_initial"),
    ]

    operations = [migrations.RunPython(queue, migrations.RunPython.noop)]
