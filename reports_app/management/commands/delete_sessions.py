import logging
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from reports_app import services
from reports_app.management.which_sessions import A_DATE, instant, named, unknown
from sessions_app.errors import ProctoringError
from sessions_app.models import Session
from sessions_app.review.states import Outcome, outcome_of

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Delete sessions with everything that belongs to them, by ids or by when they ended; for cron."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", help="session ids, in whatever state")
        parser.add_argument(
            "--ended-before", type=instant, metavar="DATE", help=f"all that ended before, never a running one; {A_DATE}"
        )
        parser.add_argument("--dry-run", action="store_true", help="say how many, and delete nothing")

    def handle(self, *, ids: list[str], ended_before: datetime | None, dry_run: bool, **options: Any) -> None:
        if bool(ids) == bool(ended_before):
            raise CommandError("Give either ids or --ended-before. Nothing was deleted.")
        which = named(ids, Session.objects.all()) if ids else Session.objects.ended_before(ended_before)
        rows = list(which.values_list("pk", "review_outcome"))
        found = {pk: outcome_of(outcome) for pk, outcome in rows if isinstance(pk, str)}  # adopted ones may have others
        undecided = sum(outcome == Outcome.NOT_REVIEWED for outcome in found.values())
        failed = 0
        for pk in tqdm(() if dry_run else found, desc="deleting", unit=" sessions", disable=None):
            try:
                for session in Session.objects.filter(pk=pk):  # unless somebody else was quicker
                    services.delete_session(session)
            except ProctoringError as error:  # what is left of it can be deleted again
                logger.error("session %s is not deleted, or not all of it: %s", pk, error)
                failed += 1
        done = "that would be deleted" if dry_run else "deleted"
        gone = len(found) - failed
        self.stdout.write(f"Sessions {done}: {gone}. Of all {len(found)}, without a decision: {undecided}.")
        if left := len(rows) - len(found):
            self.stdout.write(f"{left} were left because their id is not text (docs/earlier-service.md).")
        if failed:
            raise CommandError(f"{failed} could not be deleted, or not completely: see the log, and delete them again.")
        if not_there := unknown(ids, found):
            raise CommandError(f"Not found, or already deleted: {', '.join(not_there)}.")
