"""Background work that a person had run again is recorded, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditrecord",
            name="object_kind",
            field=models.CharField(
                blank=True,
                choices=[
                    ("session", "Session"),
                    ("event", "Event"),
                    ("video", "Video"),
                    ("report", "Report"),
                    ("user", "User"),
                    ("group", "Group"),
                    ("token", "Token"),
                    ("job", "Job"),
                    ("audit_log", "Audit Log"),
                ],
                max_length=16,
            ),
        ),
    ]
