"""Background work, one row per job."""

import django.utils.timezone
from django.db import migrations, models

import proctoring_site.jobs.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=proctoring_site.jobs.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("task", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("arguments", models.JSONField(blank=True, default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("slot", models.CharField(max_length=130, null=True, unique=True)),
                ("attempts", models.IntegerField(default=0)),
                ("error", models.CharField(max_length=300, null=True)),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("not_before", models.DateTimeField(default=django.utils.timezone.now)),
                ("told_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("runs_until", models.DateTimeField(null=True)),
                ("runner", models.CharField(max_length=36, null=True)),
            ],
            options={
                "db_table": "jobs",
                "permissions": [("rerun_job", "Can run failed background work again")],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-queued_at", "-id"], name="jobs_newest"),
                    models.Index(fields=["state", "not_before"], name="jobs_state"),
                    models.Index(fields=["state", "-queued_at", "-id"], name="jobs_state_newest"),
                    models.Index(fields=["task", "-queued_at", "-id"], name="jobs_task"),
                ],
            },
        ),
    ]
