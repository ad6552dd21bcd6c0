from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from media_app import older_videos, processing
from sessions_app.errors import ProctoringError


class Command(BaseCommand):
    help = "Queue every recording that has arrived and was not processed yet; for cron, safe to run at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older", action="store_true", help="also make recordings of videos from before there were recordings"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many that would be")

    def handle(self, *, older: bool, dry_run: bool, **options: Any) -> None:
        if older:
            self._take_older(dry_run=dry_run)
        count = processing.queue_all(dry_run=dry_run)
        self.stdout.write(f"{count} recordings {'would be' if dry_run else 'are'} queued.")

    def _take_older(self, *, dry_run: bool) -> None:
        sessions, taken = list(older_videos.sessions_with_one()), 0
        for session in sessions:
            try:
                if not dry_run:
                    older_videos.make_recording(session)
                taken += 1
            except ProctoringError as error:
                self.stderr.write(f"{session.video_name}: {error}")
        done = "would be tried" if dry_run else "are recordings now"
        self.stdout.write(f"{taken} of {len(sessions)} older videos {done}.")
