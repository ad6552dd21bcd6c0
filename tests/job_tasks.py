"""Tasks for the tests of background work; a Celery worker of theirs imports this by `-I`."""

import logging
import os
import time
from pathlib import Path

from django.db import DatabaseError
from pymongo.errors import AutoReconnect

from proctoring_site.jobs.queue import job

logger = logging.getLogger(__name__)
done: list[tuple[str, str]] = []
trouble: dict[str, Exception] = {}


@job(name="test.note")
def note(key: str, *, word: str) -> None:
    done.append((key, word))


def give_up(key: str) -> None:
    done.append((key, "given up"))


@job(name="test.fail", max_attempts=3, give_up=give_up)
def fail(key: str) -> None:
    raise ValueError("no luck")


def break_down(key: str) -> None:
    raise ConnectionError


@job(name="test.fail_wholly", max_attempts=1, give_up=break_down)
def fail_wholly(key: str) -> None:
    raise ValueError("no luck")


@job(name="test.lose_the_database")
def lose_the_database(key: str) -> None:
    raise DatabaseError from AutoReconnect()


@job(name="test.meet", max_attempts=2, give_up=give_up)
def meet(key: str) -> None:
    raise trouble[key]


@job(name="test.slow")
def slow(key: str, *, folder: str, seconds: float) -> None:
    """Says who works on it, and at the end, once, that it is done."""
    (Path(folder) / f"{key}.{os.getpid()}.begun").touch()
    time.sleep(seconds)
    with (Path(folder) / f"{key}.done").open("a") as file:
        file.write("done\n")
    logger.info("done")
