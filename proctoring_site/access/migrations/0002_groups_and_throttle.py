"""The four groups with their rights, and an index that forgets the throttle's counters."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from proctoring_site.access.roles import GROUPS, Right
from proctoring_site.access.throttle import COLLECTION


def create_groups(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A group that is there already keeps what it has. Django makes permissions only after all migrations, so those
    that are needed here are made here, under the names that Django will look for."""
    for name, rights in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*[permission(apps, right) for right in rights])


def permission(apps: StateApps, right: Right) -> object:
    app_label, _, codename = right.partition(".")
    model, sentence = next(
        (model._meta.model_name, sentence)
        for model in apps.get_app_config(app_label).get_models()
        for known, sentence in permissions_of(model)
        if known == codename
    )
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": sentence}
    )
    return found


def permissions_of(model: type) -> list[tuple[str, str]]:
    options = model._meta
    usual = [
        (f"{verb}_{options.model_name}", f"Can {verb} {options.verbose_name}") for verb in options.default_permissions
    ]
    return [*usual, *options.permissions]


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
        migrations.RunPython(create_groups, migrations.RunPython.noop),
        migrations.RunPython(forget_counters, migrations.RunPython.noop),
    ]
