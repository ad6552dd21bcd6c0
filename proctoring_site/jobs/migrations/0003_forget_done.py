"""The database forgets the background work that went well; what failed stays until a person has it run again."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

#: Longer than anybody asks "was that recording looked at?"; a busy site leaves some thousand jobs a day.
KEPT_S = 30 * 24 * 3600


def forget_done(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    jobs = schema_editor.connection.database[apps.get_model("jobs", "Job")._meta.db_table]
    done = {"state": "done"}
    jobs.create_index("finished_at", expireAfterSeconds=KEPT_S, partialFilterExpression=done, name="jobs_until")


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_rights")]
    operations = [migrations.RunPython(forget_done, migrations.RunPython.noop)]
