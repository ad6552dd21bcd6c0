"""Jobs on any number of machines: `python -m celery -A proctoring_site.jobs.celery worker`, with CELERY_BROKER_URL.

One Celery task carries the id of a job; the row has everything else. A message that comes twice, too early, or for a
job that another has, does nothing.
"""

import logging
import os
import threading
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_ready
from django.apps import apps

from proctoring_site import start_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
if not apps.ready and not apps.apps_ready:
    with start_up.importing():
        start_up.set_up()

from django.conf import settings

from proctoring_site.jobs import queue

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5
#: Redis that hangs, or is gone without a word, would else hold up whoever submits a job for ever. Longer than the one
#: second for which a worker has it wait for a message.
BROKER_PATIENCE_S = 3

app = Celery("proctoring", broker=settings.CELERY_BROKER_URL, set_as_current=False)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 3600,
        "socket_timeout": BROKER_PATIENCE_S,
        "socket_connect_timeout": BROKER_PATIENCE_S,
        "max_retries": 0,  # by kombu, which would pause for two seconds and wait once more
    },
    task_publish_retry=False,  # the row waits; whoever asked must not
)


@app.task(name="proctoring.run_job")
def run_job(job_id: str) -> None:
    if taken := queue.take(job_id):
        queue.run(taken)


def hand_over(job_id: str) -> None:
    run_job.apply_async([job_id], retry=False)


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Level and format stay as LOG_LEVEL and LOG_FORMAT say: Celery sets its own unless somebody answers here."""


@worker_ready.connect
def look_again(**kwargs: Any) -> None:
    """Every worker looks for what is due again, or was lost with another worker, and hands it over."""
    threading.Thread(target=_look_again, daemon=True, name="jobs-requeue").start()


def _look_again() -> None:
    pause = threading.Event()
    while not pause.wait(LOOK_EVERY_S):
        try:
            queue.requeue()
        except Exception:
            logger.warning("jobs wait: the database cannot be asked for them")
