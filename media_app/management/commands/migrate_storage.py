from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from media_app import moving
from media_app.storage import BACKENDS, missing_settings
from proctoring_site.jobs import queue


class Command(BaseCommand):
    help = (
        "Move recordings from one storage to another: each is copied, verified by its hash, and then looked for there. "
        "Videos without a recording, and reports, are copied too, for when STORAGE_BACKEND is switched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="source", required=True, choices=sorted(BACKENDS))
        parser.add_argument("--to", dest="target", required=True, choices=sorted(BACKENDS))
        parser.add_argument("--delete-source", action="store_true", help="delete what was moved from the old storage")
        parser.add_argument("--dry-run", action="store_true", help="only say how many recordings would move")

    def handle(self, *, source: str, target: str, delete_source: bool, dry_run: bool, **options: Any) -> None:
        if source == target:
            raise CommandError("--from and --to name the same storage.")
        for name in (source, target):
            if missing := missing_settings(name):
                raise CommandError(f"The storage {name} needs {', '.join(missing)}. Nothing was moved.")
        if dry_run:
            self.stdout.write(f"{moving.movable(source).count()} recordings would move from {source} to {target}.")
            if files := len(moving.files_without_a_row(source)):
                self.stdout.write(f"{files} older videos and reports would be copied.")
            if left_behind := len(moving.left_behind(source)):
                when = " once STORAGE_BACKEND looks elsewhere" if source == settings.STORAGE_BACKEND else ""
                self.stdout.write(f"{left_behind} files there belong to nothing: --delete-source removes them{when}.")
            return
        count = moving.movable(source).count()
        how = {"source": source, "target": target, "delete_source": delete_source}
        moves = moving.move_all(**how)
        copies = moving.queue_files(moving.files_without_a_row(source), **how)
        is_left = delete_source and source != settings.STORAGE_BACKEND
        removals = moving.queue_files(moving.left_behind(source), **how) if is_left else []
        if settings.JOBS == "celery":
            self.stdout.write(
                f"{count} recordings and {len(copies)} older videos and reports were handed to the workers;"
            )
            self.stdout.write("the admin shows what became of them.")
            return
        queue.run_waiting()
        left, uncopied = moving.movable(source).count(), moving.unfinished(copies)
        self.stdout.write(f"{count - left} recordings moved from {source} to {target}, {left} are still to be moved.")
        if copies:
            self.stdout.write(f"{len(copies) - uncopied} older videos and reports copied, {uncopied} are still to be.")
        if removals:
            gone = len(removals) - moving.unfinished(removals)
            self.stdout.write(f"{gone} files of deleted sessions, which nothing refers to any more, were removed.")
        if delete_source and copies and source == settings.STORAGE_BACKEND:
            self.stdout.write(
                f"They also stay on {source}, where STORAGE_BACKEND looks for them: switch it, and run again."
            )
        if left or uncopied or moving.unfinished(moves + removals):
            raise CommandError("Not everything could be moved; Background work in the admin says why. Run this again.")
