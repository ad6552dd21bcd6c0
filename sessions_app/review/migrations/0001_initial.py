"""What people say and do in a review, and the policies."""

from django.db import migrations, models

import proctoring_site.mongo_engine.fields
import sessions_app.review.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ActivePolicy",
            fields=[
                ("id", models.CharField(db_column="_id", max_length=8, primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("since", models.DateTimeField()),
                ("by", models.CharField(max_length=150)),
            ],
            options={
                "db_table": "active_policy",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="PolicyVersion",
            fields=[
                ("version", models.IntegerField(db_column="_id", primary_key=True, serialize=False)),
                ("weights", models.JSONField(default=dict)),
                ("caps", models.JSONField(default=dict)),
                ("gap_s", models.FloatField(default=30.0)),
                ("min_duration_s", models.FloatField(default=0.0)),
                ("counts", models.CharField(default="events", max_length=10)),
                ("low_from", models.IntegerField(default=80)),
                ("medium_from", models.IntegerField(default=50)),
                ("coverage_min", models.FloatField(default=0.8)),
                ("second_review_above", models.IntegerField(default=50, null=True)),
                ("clean_from", models.IntegerField(default=95)),
                ("note", models.CharField(blank=True, default="", max_length=1000)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=150)),
            ],
            options={
                "verbose_name": "policy",
                "verbose_name_plural": "policies",
                "db_table": "policies",
                "permissions": [("change_policy", "Can make and activate policies, and score sessions anew")],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Allowance",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id", editable=False, max_length=120, primary_key=True, serialize=False
                    ),
                ),
                ("session_id", models.CharField(max_length=36)),
                ("event_type", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=1000)),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("is_revoked", models.BooleanField(default=False)),
                ("revision", models.IntegerField()),
            ],
            options={
                "db_table": "allowances",
                "default_permissions": (),
                "indexes": [models.Index(fields=["session_id", "id"], name="allowances_session")],
            },
        ),
        migrations.CreateModel(
            name="JudgedIncident",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=sessions_app.review.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("session_id", models.CharField(max_length=36)),
                ("event_type", models.CharField(max_length=64)),
                ("start", models.DateTimeField(null=True)),
                ("end", models.DateTimeField(null=True)),
                ("event_ids", proctoring_site.mongo_engine.fields.DocumentField(default=list)),
                ("count", models.IntegerField(default=0)),
                ("peak_confidence", models.FloatField(null=True)),
                ("sources", proctoring_site.mongo_engine.fields.DocumentField(default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("confirmed", "Confirmed"),
                            ("dismissed", "Dismissed"),
                            ("reopened", "Reopened"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[("none", "None"), ("low", "Low"), ("medium", "Medium"), ("high", "High")], max_length=6
                    ),
                ),
                ("reason", models.CharField(max_length=1000, null=True)),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("is_manual", models.BooleanField(default=False)),
                ("revision", models.IntegerField()),
            ],
            options={
                "db_table": "incidents",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["session_id", "id"], name="incidents_session"),
                    models.Index(fields=["-at", "-id"], name="incidents_newest"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=sessions_app.review.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("session_id", models.CharField(max_length=36)),
                ("text", models.TextField(max_length=4000)),
                ("start", models.DateTimeField(null=True)),
                ("end", models.DateTimeField(null=True)),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("revision", models.IntegerField()),
            ],
            options={
                "db_table": "review_notes",
                "default_permissions": (),
                "indexes": [models.Index(fields=["session_id", "at", "id"], name="notes_session")],
            },
        ),
        migrations.CreateModel(
            name="PolicyRun",
            fields=[
                (
                    "id",
                    models.CharField(
                        db_column="_id",
                        default=sessions_app.review.models.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(choices=[("preview", "Preview"), ("rescore", "Rescore")], max_length=8)),
                ("policy_version", models.IntegerField()),
                ("by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("is_superseded", models.BooleanField(default=False)),
                ("total", models.IntegerField(default=0)),
                ("done", models.IntegerField(default=0)),
                ("changed_scores", models.IntegerField(default=0)),
                ("changed_bands", models.IntegerField(default=0)),
                ("moves", models.JSONField(default=dict)),
                ("examples", proctoring_site.mongo_engine.fields.DocumentField(default=list)),
                ("cursor", models.CharField(blank=True, default="", max_length=255)),
                ("sweeps", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "policy_runs",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["-started_at", "-id"], name="policy_runs_newest"),
                    models.Index(fields=["kind", "policy_version", "-started_at", "-id"], name="policy_runs_kind"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReviewEntry",
            fields=[
                (
                    "id",
                    models.CharField(db_column="_id", editable=False, max_length=80, primary_key=True, serialize=False),
                ),
                ("session_id", models.CharField(max_length=36)),
                ("revision", models.IntegerField(null=True)),
                ("at", models.DateTimeField()),
                ("actor_id", models.CharField(max_length=64)),
                ("actor_name", models.CharField(max_length=300)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("acknowledged", "Acknowledged"),
                            ("confirmed", "Confirmed"),
                            ("dismissed", "Dismissed"),
                            ("reopened", "Reopened"),
                            ("severity", "Severity"),
                            ("added", "Added"),
                            ("noted", "Noted"),
                            ("allowed", "Allowed"),
                            ("revoked", "Revoked"),
                            ("outcome", "Outcome"),
                            ("assigned", "Assigned"),
                            ("due", "Due"),
                            ("scored", "Scored"),
                        ],
                        max_length=12,
                    ),
                ),
                ("about", proctoring_site.mongo_engine.fields.DocumentField(default=dict)),
                ("before", proctoring_site.mongo_engine.fields.DocumentField(null=True)),
                ("after", proctoring_site.mongo_engine.fields.DocumentField(null=True)),
                ("reason", models.CharField(max_length=1000, null=True)),
                ("run_id", models.CharField(max_length=36, null=True)),
                ("document", proctoring_site.mongo_engine.fields.DocumentField(null=True)),
                ("fields", proctoring_site.mongo_engine.fields.DocumentField(null=True)),
            ],
            options={
                "db_table": "review_history",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["session_id", "at", "id"], name="review_history_session"),
                    models.Index(fields=["session_id", "revision"], name="review_history_revision"),
                    models.Index(
                        condition=models.Q(("run_id__gt", "")), fields=["run_id", "id"], name="review_history_run"
                    ),
                ],
            },
        ),
    ]
