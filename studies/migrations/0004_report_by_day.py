from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_letter'),
        ('studies', '0003_patient_name_words'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='report',
            index=models.Index(fields=['facility', 'received_at'], name='report_by_day'),
        ),
    ]
