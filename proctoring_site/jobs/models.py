"""One row per piece of background work: what is to be done, who does it, and how that went."""

from uuid import uuid4

from django.db import models
from django.utils import timezone


class JobState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"  # MongoDB forgets it after 30 days (migration 0003)
    FAILED = "failed"  # as often as it may be tried; a person may have it run again


def new_id() -> str:
    return str(uuid4())


class Job(models.Model):
    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    task = models.CharField(max_length=64)
    #: What it is about, such as a recording's id.
    key = models.CharField(max_length=64)
    arguments = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=JobState.choices, default=JobState.WAITING)
    #: Task and key while it waits or runs, and then nothing: what makes it the only one.
    slot = models.CharField(max_length=130, null=True, unique=True)
    attempts = models.IntegerField(default=0)
    #: Why the last try failed, for people: `reasons.reason_of`. Earlier releases wrote the error as it was.
    error = models.CharField(max_length=300, null=True)
    queued_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    #: When somebody who could run it was told last; None for one that waits for its next try.
    told_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: Whoever runs it renews this; when it has passed, the worker is gone and another may take the job.
    runs_until = models.DateTimeField(null=True)
    runner = models.CharField(max_length=36, null=True)

    class Meta:
        db_table = "jobs"
        default_permissions = ("view",)
        permissions = [("rerun_job", "Can run failed background work again")]
        indexes = [
            models.Index(fields=["-queued_at", "-id"], name="jobs_newest"),
            models.Index(fields=["state", "not_before", "task"], name="jobs_state_due"),
            models.Index(fields=["state", "-queued_at", "-id"], name="jobs_state_newest"),
            models.Index(fields=["task", "-queued_at", "-id"], name="jobs_task"),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.key} ({self.state})"
