"""What clients may tell of an event, and when it happened by our clock: the timeline's new order."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from sessions_app import adoption

DETAILS = {
    "occurred_at": models.DateTimeField(null=True),
    "received_at": models.DateTimeField(null=True),
    "clock_skew_ms": models.BigIntegerField(null=True),
    "duration_s": models.FloatField(null=True),
    "confidence": models.FloatField(null=True),
    "source": models.CharField(max_length=100, null=True),
    "sequence": models.BigIntegerField(null=True),
    "data": models.JSONField(null=True),
    "marks": models.JSONField(null=True),
    "digest": models.CharField(max_length=64, null=True),
}


def take_the_clients_word(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Of events that came before, nothing else is known than what the client said."""
    events = schema_editor.connection.database["events"]
    adoption.set_aside(events, DETAILS.keys() - {"occurred_at"}, ours="marks")
    events.update_many({"occurred_at": {"$exists": False}}, [{"$set": {"occurred_at": "$timestamp"}}])


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0003_rights")]

    operations = [
        # Only in the state: a field that a document lacks reads as None, so that millions need not be written.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(model_name="event", name=name, field=field) for name, field in DETAILS.items()
            ]
        ),
        migrations.RunPython(take_the_clients_word, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["session", "occurred_at", "id"], name="events_order"),
        ),
        migrations.RemoveIndex(model_name="event", name="events_timeline"),
    ]
