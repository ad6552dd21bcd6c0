"""Migration operations for a database that may already hold the collections."""

from django.db import migrations
from django.db.migrations.state import ProjectState

from proctoring_site.mongo_engine.schema import DatabaseSchemaEditor


class AdoptModel(migrations.CreateModel):
    """CreateModel that takes an existing collection over: its documents stay, the indexes are built.

    The stock operation fails on an existing collection, and `--fake-initial` builds no index.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: DatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if model._meta.db_table in schema_editor.connection.introspection.table_names():
            schema_editor.adopt_model(model)
        else:
            schema_editor.create_model(model)
