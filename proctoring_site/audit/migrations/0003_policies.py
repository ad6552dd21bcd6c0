"""Policies that are made and activated are recorded, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_jobs"),
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
                    ("policy", "Policy"),
                    ("audit_log", "Audit Log"),
                ],
                max_length=16,
            ),
        ),
    ]
