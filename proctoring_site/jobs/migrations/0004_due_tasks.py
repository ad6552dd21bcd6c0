"""What is due is found by its task, too: thousands of jobs of another release's tasks are passed over unread."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_forget_done")]
    operations = [
        migrations.AddIndex("job", models.Index(fields=["state", "not_before", "task"], name="jobs_state_due")),
        migrations.RemoveIndex("job", "jobs_state"),
    ]
