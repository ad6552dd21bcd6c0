from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from reports_app import services
from reports_app.management.which_sessions import A_DATE, instant, named, unknown
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session


class Command(BaseCommand):
    help = "Recount sessions from their stored events and render their reports again: all, by ids, or by date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", help="session ids; all sessions when none is given")
        dates = {"type": instant, "metavar": "DATE"}
        parser.add_argument("--from", dest="started_from", help=f"started at or after; {A_DATE}", **dates)
        parser.add_argument("--before", dest="started_before", help="started before", **dates)
        parser.add_argument("--only-stale", action="store_true", help="skip reports that still show the newest state")
        parser.add_argument("--dry-run", action="store_true", help="say how many, and write nothing")

    def handle(self, *, ids: list[str], only_stale: bool, dry_run: bool, **options: Any) -> None:
        sessions = Session.objects.newest_first().matching(
            started_from=options["started_from"], started_before=options["started_before"]
        )
        found = list((named(ids, sessions) if ids else sessions).values_list("pk", flat=True))
        is_by_date = options["started_from"] or options["started_before"]
        if not is_by_date and (not_there := unknown(ids, set(found))):
            raise CommandError(f"There is no session {', '.join(not_there)}. Nothing was written.")
        rendered, not_found = 0, []
        for pk in tqdm(found, desc="rendering", unit=" sessions", disable=None):
            session = Session.objects.filter(pk=pk).first()
            if session is None:
                not_found.append(str(pk))
                continue
            if only_stale and services.all_current(session):
                continue
            if not dry_run:
                try:
                    services.regenerate(session)
                except SessionNotFound:  # deleted in this moment
                    not_found.append(str(pk))
                    continue
            rendered += 1
        done = "would be rendered" if dry_run else "rendered"
        self.stdout.write(f"{len(found)} sessions: {rendered} {done}, {len(found) - rendered} left as they were.")
        if not_found:
            self.stdout.write(f"Deleted meanwhile, or with an id that is not text: {', '.join(not_found)}.")
