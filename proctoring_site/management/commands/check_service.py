from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from proctoring_site import service_check


class Command(BaseCommand):
    help = "Print figures for a monitor, in Prometheus' text format, and fail with a sentence for each problem."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--disk-free", type=int, default=10, metavar="PERCENT", help="how much free disk space is too little (10)"
        )

    def handle(self, *, disk_free: int, **options: Any) -> None:
        wrong = []
        for figure in service_check.figures(free_percent_min=disk_free):
            self.stdout.write(f"proctoring_{figure.name} {int(figure.value)}")
            wrong += [figure.wrong] if figure.wrong else []
        if wrong:
            raise CommandError("\n".join(wrong))
