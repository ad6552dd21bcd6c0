"""The database forgets failed logins: what is typed as a user name is now and then a password."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

#: Longer than a lock should last; axes itself forgets only when somebody logs in or fails to.
KEPT_S = 24 * 3600


def forget_failures(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    failures = schema_editor.connection.database[apps.get_model("axes", "AccessAttempt")._meta.db_table]
    failures.create_index("attempt_time", expireAfterSeconds=KEPT_S, name="failures_until")


class Migration(migrations.Migration):
    dependencies = [("axes", "0001_initial")]
    operations = [migrations.RunPython(forget_failures, migrations.RunPython.noop)]
