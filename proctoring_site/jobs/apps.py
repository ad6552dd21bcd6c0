from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class JobsConfig(AppConfig):
    name = "proctoring_site.jobs"
    label = "jobs"
    verbose_name = "Background work"

    def ready(self) -> None:
        if settings.JOBS == "celery":
            from proctoring_site.jobs import queue  # noqa: PLC0415 - needs the models

            # Not before the first job: a process that submits none need not load Celery.
            queue.on_submit(lambda job_id: import_module("proctoring_site.jobs.celery").hand_over(job_id))
