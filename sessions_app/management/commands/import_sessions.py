from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from sessions_app import import_rows, imports

BAD_ROWS_SHOWN = 50


class Command(BaseCommand):
    help = "Import sessions and events from a JSON Lines or CSV file; a second run changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="ends in .jsonl, .ndjson or .csv; the format: docs/imports.md")
        parser.add_argument("--dry-run", action="store_true", help="check every row and say what would be new")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows beside bad ones")

    def handle(self, *, file: Path, dry_run: bool, skip_bad: bool, **options: Any) -> None:
        outcome = imports.Outcome()
        try:
            with tqdm(desc="importing", unit=" events", disable=None) as bar:
                for outcome in imports.run(file, dry_run=dry_run, skip_bad=skip_bad):
                    bar.update(outcome.new_events + outcome.known_events - bar.n)
        except import_rows.UnreadableFile as error:
            raise CommandError(str(error)) from error
        for number, reason in outcome.bad_rows[:BAD_ROWS_SHOWN]:
            self.stderr.write(f"row {number}: {reason}")
        if len(outcome.bad_rows) > BAD_ROWS_SHOWN:
            self.stderr.write(f"… and {len(outcome.bad_rows) - BAD_ROWS_SHOWN} more bad rows")
        self.stdout.write(_summary(outcome, dry_run=dry_run))
        if outcome.bad_rows:
            rest = "the others were imported" if skip_bad else "nothing was imported"
            raise CommandError(f"{len(outcome.bad_rows)} bad rows; {'nothing was written' if dry_run else rest}.")


def _summary(outcome: imports.Outcome, *, dry_run: bool) -> str:
    new = "would be new" if dry_run else "new"
    return (
        f"{outcome.rows} rows: {outcome.new_sessions} sessions and {outcome.new_events} events {new}, "
        f"{outcome.known_sessions} and {outcome.known_events} already there, {len(outcome.bad_rows)} bad rows."
    )
