"""Checks, migrations and the first run, in a process of their own that says how it went as one line of JSON.

The launcher stays free of Django and its threads; it runs this as `python -m proctoring_site.launch.prepare_database`.
"""

import io
import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import IO

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from pymongo.errors import PyMongoError

from proctoring_site import start_up
from proctoring_site.audit.actors import running_command


@dataclass(frozen=True)
class Outcome:
    """What the launcher tells. `problem` is for the person at the terminal; None means that all went well."""

    problem: str | None = None
    migrations: int = 0
    username: str | None = None
    password: str | None = None
    demo_sessions: int = 0
    has_staff: bool = True


def main() -> int:
    answer = _keep_stdout_for_the_answer()
    running_command.set("make run")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
    try:
        outcome = prepare()
    except (
        CommandError,
        ImproperlyConfigured,
        DatabaseError,
        PyMongoError,
        OSError,
    ) as error:  # SystemCheckError is the first
        outcome = Outcome(problem=_sentence(error))
    json.dump(asdict(outcome), answer)
    answer.flush()
    return 1 if outcome.problem else 0


def prepare() -> Outcome:
    with start_up.importing():
        django.setup()
    from django.conf import settings  # noqa: PLC0415 - needs the set-up, as does the next one
    from django.contrib.auth import get_user_model  # noqa: PLC0415

    from proctoring_site.launch import first_run  # noqa: PLC0415

    call_command("check", databases=["default"], stdout=io.StringIO())  # warnings go to stderr
    migrations = _migrate()
    first = first_run.prepare(production=settings.PRODUCTION)
    has_staff = get_user_model().objects.filter(is_staff=True).exists()
    return Outcome(migrations=migrations, has_staff=has_staff, **asdict(first))


def _sentence(error: Exception) -> str:
    """What went wrong, never empty: the database backend's own errors say nothing, their causes do."""
    sentence = str(error).strip() or str(error.__cause__ or "").strip() or type(error).__name__
    return sentence.partition(", full error:")[0]  # pymongo repeats the server's whole answer


def _migrate() -> int:
    """Bring the database up to date; how many migrations that took."""
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        call_command("migrate", verbosity=0, interactive=False)
    return missing


def _keep_stdout_for_the_answer() -> IO[str]:
    """Whatever else prints, prints to stderr: a chatty library must not garble the answer."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answer


if __name__ == "__main__":
    sys.exit(main())
