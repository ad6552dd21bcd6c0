"""How many events came after the time for late ones."""

from django.db import migrations

from proctoring_site.mongo_engine.fields import DocumentField


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0007_unsettled")]

    operations = [
        # Only in the state: what a document lacks reads as None.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="session", name="too_late", field=DocumentField(editable=False, null=True)
                )
            ]
        ),
    ]
