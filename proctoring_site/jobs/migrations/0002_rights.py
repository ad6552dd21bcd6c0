"""Operators see background work, and have what failed run again."""

from django.db import migrations

from proctoring_site.access.groups import give_rights


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("access", "0002_groups_and_throttle"),
        ("auth", "0001_initial"),
        ("contenttypes", "0001_initial"),
    ]
    operations = [migrations.RunPython(give_rights("jobs"), migrations.RunPython.noop)]
