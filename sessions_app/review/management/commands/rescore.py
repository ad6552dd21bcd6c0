from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from sessions_app.models import Session
from sessions_app.review import policies, rescoring
from sessions_app.review.errors import NoSuchPolicy
from sessions_app.review.models import RunKind

BY = "manage.py rescore"


class Command(BaseCommand):
    help = "Rescore the closed sessions under the policy in force; if stopped, it continues where it was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--policy", type=int, help="another version, without putting it in force")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *, policy: int | None, dry_run: bool, **options: Any) -> None:
        version = policies.in_use().version if policy is None else policy
        try:
            run = rescoring.begin(RunKind.PREVIEW if dry_run else RunKind.RESCORE, version, by=BY)
        except NoSuchPolicy as error:
            raise CommandError(f"There is no policy {version}.") from error
        with tqdm(total=run.total, initial=run.done, desc="scoring", unit=" sessions", disable=None) as bar:
            run = rescoring.go_on(run, progress=bar.update)
        if run.is_superseded:
            raise CommandError(f"A newer rescore replaced this one, after {run.done} sessions.")
        for move, count in sorted(run.moves.items()):
            self.stdout.write(f"{move.replace('>', ' to ').replace('_', ' ')}: {count}")
        if not run.done:
            scored = Session.objects.scored_with(version).count()
            self.stdout.write(f"Policy {version}: 0 sessions need it, {scored} are already scored by it.")
            return
        change = "would change" if dry_run else "changed"
        self.stdout.write(
            f"Policy {version}: {run.done} sessions, {run.changed_scores} {change} their score, "
            f"{run.changed_bands} their band."
        )
