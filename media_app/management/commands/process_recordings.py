from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from media_app import processing


class Command(BaseCommand):
    help = "Queue every recording that arrived and was not looked at yet; for cron, safe to run at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many that would be")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        count = processing.queue_all(dry_run=dry_run)
        self.stdout.write(f"{count} recordings {'would be' if dry_run else 'are'} queued.")
