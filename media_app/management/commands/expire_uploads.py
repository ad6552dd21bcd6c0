from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from media_app import resumable


class Command(BaseCommand):
    help = "Remove the unfinished uploads that nobody went on with for UPLOAD_EXPIRES_AFTER_S; for cron."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many that would be")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        removed = resumable.expire(dry_run=dry_run)
        self.stdout.write(f"{removed} unfinished uploads {'would be removed' if dry_run else 'removed'}.")
