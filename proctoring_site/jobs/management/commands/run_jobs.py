from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from proctoring_site.jobs import queue


class Command(BaseCommand):
    help = "Do background work that is waiting or was lost with its worker: here, or by CELERY_BROKER_URL's workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many jobs that would be")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self.stdout.write(f"{queue.due()} jobs are due.")
        elif settings.JOBS == "celery":
            self.stdout.write(f"{queue.requeue()} jobs were handed to the workers.")
        else:
            self.stdout.write(f"{queue.run_waiting()} jobs were run.")
