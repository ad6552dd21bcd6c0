"""What the review keeps with a session, and the order of its queue."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from sessions_app import adoption

FIELDS = {
    "policy_version": models.IntegerField(editable=False, null=True),
    "machine_score": models.IntegerField(editable=False, null=True),
    "reviewed_score": models.IntegerField(editable=False, null=True),
    "reviewed_band": models.CharField(editable=False, max_length=20, null=True),
    "scored_at": models.DateTimeField(editable=False, null=True),
    "scored_revision": models.IntegerField(editable=False, null=True),
    "incident_count": models.IntegerField(editable=False, null=True),
    "open_incidents": models.IntegerField(editable=False, null=True),
    "confirmed_incidents": models.IntegerField(editable=False, null=True),
    "new_incidents": models.IntegerField(editable=False, null=True),
    "queue_rank": models.IntegerField(editable=False, null=True),
    "review_outcome": models.CharField(editable=False, max_length=24, null=True),
    "outcome_by": models.CharField(editable=False, max_length=150, null=True),
    "outcome_by_id": models.CharField(editable=False, max_length=64, null=True),
    "reviewed_at": models.DateTimeField(editable=False, null=True),
    "assigned_to": models.CharField(editable=False, max_length=160, null=True),
    "due_at": models.DateTimeField(editable=False, null=True),
    "review_revision": models.IntegerField(editable=False, null=True),
}
QUEUE = ["queue_rank", "-start_time", "-id"]
ASKED = ["reviewed_score", "covered", "due_at", "review_outcome", "new_incidents"]
INDEXES = {
    "sessions_queue": [*QUEUE, *ASKED],
    "sessions_assigned": ["assigned_to", *QUEUE],
    "sessions_policy": ["policy_version", *QUEUE],
}


def set_aside(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Whatever else these names meant in adopted documents."""
    adoption.set_aside(schema_editor.connection.database["sessions"], FIELDS, ours="review_revision")


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0005_states_and_heartbeats")]

    operations = [
        # Only in the state: what a document lacks reads as None.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(model_name="session", name=name, field=field) for name, field in FIELDS.items()
            ]
        ),
        migrations.RunPython(set_aside, migrations.RunPython.noop),
        *(
            migrations.AddIndex(
                model_name="session",
                index=models.Index(fields=fields, condition=models.Q(queue_rank__gte=0), name=name),
            )
            for name, fields in INDEXES.items()
        ),
    ]
