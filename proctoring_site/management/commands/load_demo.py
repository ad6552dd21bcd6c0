from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from proctoring_site.launch import demo


class Command(BaseCommand):
    help = "Store three demo sessions of different character, one with a video; a second run changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say how many would be new, and write nothing")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        new = demo.load(dry_run=dry_run)
        self.stdout.write(f"{new} demo sessions {'would be new' if dry_run else 'new'}, {3 - new} already there.")
