"""How a session stands, how it got there, what was asked of its client, and how much of it was watched."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from proctoring_site.mongo_engine.fields import DocumentField
from sessions_app import adoption
from sessions_app.states import State

FIELDS = {
    "status": models.CharField(choices=State.choices, default=State.RUNNING, editable=False, max_length=16, null=True),
    "moves": DocumentField(default=list, editable=False, null=True),
    "commands": DocumentField(default=list, editable=False, null=True),
    "heartbeat": DocumentField(editable=False, null=True),
    "covered": models.FloatField(editable=False, null=True),
    "clock_skew_ms": models.BigIntegerField(editable=False, null=True),
    "last_seen_at": models.DateTimeField(editable=False, null=True),
}


def set_aside(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    adoption.set_aside(schema_editor.connection.database["sessions"], FIELDS, ours="moves")


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0004_event_details")]

    operations = [
        migrations.RunPython(set_aside, migrations.RunPython.noop),
        # Only in the state: what a document lacks reads as None, and a session without a status says it by its end.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(model_name="session", name=name, field=field) for name, field in FIELDS.items()
            ]
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(fields=["status", "-start_time", "-id"], name="sessions_status"),
        ),
    ]
