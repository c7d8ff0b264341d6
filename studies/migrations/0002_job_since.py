import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('studies', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='since',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
    ]
