from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StoredReport",
            fields=[
                ("id", models.CharField(db_column="_id", max_length=80, primary_key=True, serialize=False)),
                ("session_id", models.CharField(max_length=36)),
                ("revision", models.IntegerField()),
                ("fingerprint", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64)),
                ("rendered_at", models.DateTimeField()),
            ],
            options={
                "db_table": "reports",
                "indexes": [models.Index(fields=["session_id"], name="reports_session")],
            },
        ),
    ]
