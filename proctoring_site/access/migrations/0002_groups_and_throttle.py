"""The four groups with their rights, and an index that forgets the throttle's counters."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from proctoring_site.access.groups import give_rights
from proctoring_site.access.throttle import COLLECTION


def forget_counters(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.connection.database[COLLECTION].create_index("until", expireAfterSeconds=0, name="throttle_until")


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("audit", "0001_initial"),
        ("sessions_app", "0003_rights"),
        ("reports_app", "0002_rights"),
        ("auth", "0001_initial"),
        ("contenttypes", "0001_initial"),
    ]
    operations = [
        migrations.RunPython(give_rights("access", "audit", "reports_app", "sessions_app"), migrations.RunPython.noop),
        migrations.RunPython(forget_counters, migrations.RunPython.noop),
    ]
