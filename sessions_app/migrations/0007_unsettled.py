"""Which sessions were closed, and not yet settled: the mark of one whose closing was cut off."""

from django.db import migrations, models

UNSETTLED = models.Index(fields=["unsettled"], condition=models.Q(unsettled=True), name="sessions_unsettled")


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0006_review")]

    operations = [
        # Only in the state: what a document lacks reads as None.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="session", name="unsettled", field=models.BooleanField(editable=False, null=True)
                )
            ]
        ),
        migrations.AddIndex(model_name="session", index=UNSETTLED),
    ]
