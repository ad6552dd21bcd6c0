"""For migrations: the groups, with the rights of one app after the other, as apps come to have any."""

from collections.abc import Callable

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from proctoring_site.access.roles import GROUPS, Right


def give_rights(*app_labels: str) -> Callable[[StateApps, BaseDatabaseSchemaEditor], None]:
    """A step that gives each group its rights in these apps, and makes the groups that are not there.

    What staff took from a group in other apps stays taken. Django makes permissions only after all migrations, so those
    that are needed here are made here, under the names that Django will look for.
    """

    def step(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        for name, rights in GROUPS.items():
            group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
            wanted = [right for right in rights if right.partition(".")[0] in app_labels]
            group.permissions.add(*[_permission(apps, right) for right in wanted])

    return step


def _permission(apps: StateApps, right: Right) -> object:
    app_label, _, codename = right.partition(".")
    model, sentence = next(
        (model._meta.model_name, sentence)
        for model in apps.get_app_config(app_label).get_models()
        for known, sentence in _permissions_of(model)
        if known == codename
    )
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": sentence}
    )
    return found


def _permissions_of(model: type) -> list[tuple[str, str]]:
    options = model._meta
    usual = [
        (f"{verb}_{options.model_name}", f"Can {verb} {options.verbose_name}") for verb in options.default_permissions
    ]
    return [*usual, *options.permissions]
