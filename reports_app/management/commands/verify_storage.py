from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize

from media_app import verification as videos
from reports_app import verification as reports


class Command(BaseCommand):
    help = (
        "Compare the stored videos and reports with the database, both ways: missing, orphaned, with another size or "
        "content."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hashes", action="store_true", help="also read every file and compare its SHA-256")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="forget what is missing and not needed, or is rendered again when requested; no file is touched",
        )

    def handle(self, *, hashes: bool, repair: bool, **options: Any) -> None:
        left = 0
        for verify in (videos.verify, reports.verify):
            for finding in verify(hashes=hashes, repair=repair):
                self.stdout.write(str(finding))
                left += not finding.repaired
        if left:
            raise CommandError(f"Storage and database do not agree on {left} file{pluralize(left)}.")
        self.stdout.write("Storage and database agree.")
