from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app import services


class Command(BaseCommand):
    help = "Close sessions that nobody has heard from for SESSION_EXPIRES_AFTER_S; several machines may do so at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        closed = services.close_stale_sessions(dry_run=dry_run)
        self.stdout.write(f"Sessions {'that would be ' if dry_run else ''}expired: {closed}.")
