from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from media_app import resumable


class Command(BaseCommand):
    help = "Remove unfinished uploads that nobody has continued for UPLOAD_EXPIRES_AFTER_S; for cron."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many that would be")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        done = resumable.expire(dry_run=dry_run)
        self.stdout.write(f"{done.removed} unfinished uploads {'would be removed' if dry_run else 'removed'}.")
        if done.lost:
            self.stdout.write(f"{done.lost} rejected: the storage has lost their bytes.")
        if done.failed:
            raise CommandError(
                f"{done.failed} could not be removed or finished, because their storage failed; see the log."
            )
