"""Recordings, one row per file of a sitting."""

from django.db import migrations, models

import media_app.models
import proctoring_site.mongo_engine.fields
import sessions_app.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Recording",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=media_app.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("session_id", models.CharField(max_length=36)),
                (
                    "kind",
                    models.CharField(
                        choices=[("camera", "Camera"), ("screen", "Screen")], default="camera", max_length=8
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("receiving", "Receiving"),
                            ("processing", "Processing"),
                            ("ready", "Ready"),
                            ("rejected", "Rejected"),
                        ],
                        default="receiving",
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(max_length=300, null=True)),
                ("created_at", models.DateTimeField(default=sessions_app.models.now)),
                ("arrived_at", models.DateTimeField(null=True)),
                ("told_name", models.CharField(max_length=255, null=True)),
                ("told_type", models.CharField(max_length=100, null=True)),
                ("told_sha256", models.CharField(max_length=64, null=True)),
                ("start_offset_s", models.FloatField(null=True)),
                ("size_bytes", models.BigIntegerField()),
                ("offset", models.BigIntegerField(default=0)),
                ("parts", proctoring_site.mongo_engine.fields.DocumentField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("writer", models.CharField(max_length=36, null=True)),
                ("writer_until", models.DateTimeField(null=True)),
                ("stored_on", models.CharField(max_length=16)),
                ("original", models.CharField(max_length=120, null=True)),
                ("watchable", models.CharField(max_length=120, null=True)),
                ("watchable_bytes", models.BigIntegerField(null=True)),
                ("watchable_sha256", models.CharField(max_length=64, null=True)),
                ("poster", models.CharField(max_length=120, null=True)),
                ("name", models.CharField(max_length=120, null=True)),
                ("sha256", models.CharField(max_length=64, null=True)),
                ("duration_s", models.FloatField(null=True)),
                ("width", models.IntegerField(null=True)),
                ("height", models.IntegerField(null=True)),
                ("frame_rate", models.FloatField(null=True)),
                ("video_codec", models.CharField(max_length=32, null=True)),
                ("audio_codec", models.CharField(max_length=32, null=True)),
            ],
            options={
                "db_table": "recordings",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["session_id", "created_at", "id"], name="recordings_session"),
                    models.Index(fields=["name"], name="recordings_name"),
                    models.Index(fields=["state", "expires_at", "id"], name="recordings_state"),
                ],
            },
        ),
    ]
