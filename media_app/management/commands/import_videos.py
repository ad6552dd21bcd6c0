from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from media_app import imports


class Command(BaseCommand):
    help = "Import recordings from a folder: files named {session id}.*, or those that a CSV manifest names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--manifest", type=Path, help="CSV with the columns session_id and filename")
        parser.add_argument("--replace", action="store_true", help="also where the session already has a video")
        parser.add_argument("--dry-run", action="store_true", help="check every file and say what would be imported")

    def handle(self, *, folder: Path, manifest: Path | None, replace: bool, dry_run: bool, **options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        try:
            wanted = imports.wanted_of(folder, manifest)
        except imports.UnreadableManifest as error:
            raise CommandError(str(error)) from error
        outcome = imports.Outcome()
        for one in tqdm(wanted, desc="importing", unit=" files", disable=None):
            imports.import_one(folder, one, outcome, replace=replace, dry_run=dry_run)
        for name, reason in outcome.failed:
            self.stderr.write(f"{name}: {reason}")
        done = "would be imported" if dry_run else "imported"
        self.stdout.write(
            f"{len(wanted)} files: {outcome.imported} {done}, {outcome.already_there} already there, "
            f"{len(outcome.failed)} could not be imported."
        )
        if outcome.failed:
            raise CommandError(f"{len(outcome.failed)} files could not be imported.")
