import logging
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from reports_app import services
from reports_app.management.commands.regenerate_reports import instant
from sessions_app.errors import ProctoringError
from sessions_app.import_rows import uuid_of
from sessions_app.models import Session
from sessions_app.review.states import Outcome

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Delete sessions with everything of them, by ids or by when they ended; for cron."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", help="session ids, in whatever state")
        parser.add_argument("--ended-before", type=instant, help="all that ended before (UTC); never one that runs")
        parser.add_argument("--dry-run", action="store_true", help="say how many, and delete nothing")

    def handle(self, *, ids: list[str], ended_before: datetime | None, dry_run: bool, **options: Any) -> None:
        if bool(ids) == bool(ended_before):
            raise CommandError("Say which: either ids or --ended-before. Nothing was deleted.")
        found = list(_named(ids) if ids else Session.objects.ended_before(ended_before))
        sessions = [session for session in found if isinstance(session.pk, str)]  # adopted ones may have others
        undecided = sum(session.outcome == Outcome.NOT_REVIEWED for session in sessions)
        failed = 0
        for session in tqdm(() if dry_run else sessions, desc="deleting", unit=" sessions", disable=None):
            try:
                services.delete_session(session)
            except ProctoringError as error:  # what is left of it can be deleted again
                logger.error("session %s is not deleted, or not all of it: %s", session.pk, error)
                failed += 1
        done = "would be deleted" if dry_run else "deleted"
        self.stdout.write(f"{len(sessions) - failed} sessions {done}; {undecided} of all nobody had decided on.")
        if len(sessions) < len(found):
            self.stdout.write(f"{len(found) - len(sessions)} were left, whose id is no text (README, Its database).")
        if failed:
            raise CommandError(f"{failed} could not be deleted, or not wholly: see the log, and delete them again.")


def _named(ids: list[str]) -> list[Session]:
    """Imported ones go by the id that they came with, too."""
    found = list(Session.objects.filter(pk__in=[*ids, *map(uuid_of, ids)]))
    known = {session.pk for session in found}
    if unknown := sorted(text for text in ids if not {text, uuid_of(text)} & known):
        raise CommandError(f"There is no session {', '.join(unknown)}. Nothing was deleted.")
    return found
