"""The earlier service's collections, created or taken over with their documents, and the indexes it lacked."""

import django.db.models.deletion
from django.db import migrations, models

import sessions_app.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=sessions_app.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("candidate_name", models.CharField(max_length=200)),
                ("start_time", models.DateTimeField(default=sessions_app.models.now, null=True)),
                ("end_time", models.DateTimeField(blank=True, null=True)),
                ("video_path", models.CharField(blank=True, max_length=255, null=True)),
                ("event_counts", models.JSONField(default=dict, editable=False, null=True)),
                ("revision", models.IntegerField(default=0, editable=False, null=True)),
            ],
            options={
                "db_table": "sessions",
                "indexes": [
                    models.Index(fields=["-start_time", "-id"], name="sessions_newest"),
                    models.Index(fields=["end_time", "-start_time", "-id"], name="sessions_state"),
                    models.Index(fields=["candidate_name", "-start_time", "-id"], name="sessions_name"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=sessions_app.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("event_type", models.CharField(max_length=64)),
                ("message", models.TextField(blank=True, null=True)),
                ("timestamp", models.DateTimeField(default=sessions_app.models.now, null=True)),
                (
                    "session",
                    models.ForeignKey(
                        db_column="session_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="sessions_app.session",
                    ),
                ),
            ],
            options={
                "db_table": "events",
                "indexes": [models.Index(fields=["session", "timestamp", "id"], name="events_timeline")],
            },
        ),
    ]
