"""Searches go through a facility's studies by day, and find a patient by her ID and name."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BY_DAY = models.Index(fields=["facility", "-study_date", "-study_time", "study_uid"], name="study_by_day")


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Searches put those without a day last. SQLite has them there; PostgreSQL must be told to.
    last = " NULLS LAST" if schema_editor.connection.vendor == "postgresql" else ""
    columns = f"facility_id, study_date DESC{last}, study_time DESC{last}, study_uid"
    schema_editor.execute(f"CREATE INDEX {BY_DAY.name} ON studies_study ({columns})")


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(f"DROP INDEX {BY_DAY.name}")


class Migration(migrations.Migration):
    dependencies = [("studies", "0011_sidecars")]

    operations = [
        migrations.AddIndex("facilitypatient", models.Index(fields=["patient_id"], name="patient_by_id")),
        migrations.AddIndex(
            "facilitypatient",
            models.Index(fields=["name_words"], name="patient_by_name", opclasses=["varchar_pattern_ops"]),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(make, remove)], [migrations.AddIndex("study", BY_DAY)]
        ),
    ]
