"""The groups of the five roles; their permissions follow after the migration, when they exist."""

from django.db import migrations

NAMES = ("Viewer", "Finance clerk", "Approver", "Operations", "Creator manager")


def make_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in NAMES:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("nova", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
