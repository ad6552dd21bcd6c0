"""Documents that the earlier service wrote get dates where it left text, and their counts."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from sessions_app import adoption, services


def adopt(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    database = schema_editor.connection.database
    adoption.convert_text_instants(database["sessions"], ("start_time", "end_time"))
    adoption.convert_text_instants(database["events"], ("timestamp",))
    adoption.set_aside_what_cannot_be_counted(database["sessions"])
    adoption.count_sessions(database, weighed=services.active_policy().weights)
    adoption.tell_what_is_out_of_reach(database)


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0001_initial")]
    operations = [migrations.RunPython(adopt, migrations.RunPython.noop)]
