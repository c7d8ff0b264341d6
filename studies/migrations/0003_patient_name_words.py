from __future__ import annotations

from django.db import migrations, models


def fill(apps, schema_editor) -> None:
    """Fold the names of patients who are here already."""
    from studies.names import folded

    for patient in apps.get_model("studies", "FacilityPatient").objects.exclude(name="").iterator():
        patient.name_words = folded(patient.name)[:800]
        patient.save(update_fields=["name_words"])


class Migration(migrations.Migration):
    dependencies = [("studies", "0002_job_since")]

    operations = [
        migrations.AddField(
            model_name="facilitypatient",
            name="name_words",
            field=models.CharField(blank=True, editable=False, max_length=800),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
