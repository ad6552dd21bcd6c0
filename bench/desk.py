"""What the pages of the review desk cost, many sessions against 1,000: `python -m bench.desk`.

Two servers take turns on one mongod. Filled is what the pages read: closed sessions as scoring leaves them, over 100
days, 90 of them the reader's, with as many events each as --events gives; 500 sessions that run; what reviewers judged;
and one session with 200 events, which both sizes have. Quote the ratios.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo import MongoClient
from pymongo.database import Database

from bench import documents
from bench.server import Server, environment_of, prepare, serve
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.mongo_engine.mongodb_url import with_options

SMALL, LIVE, EVENTS, DAYS, PER_PAGE = 1000, 500, 200, 100, 50
LIST = "/admin/sessions_app/session/"
#: Of ten sessions: band, score, rank among those that nobody decided on.
BANDS = (("low", 100, 3),) * 6 + (("medium", 65, 1),) * 2 + (("high", 20, 0), ("insufficient_data", 100, 2))
#: The queue's groups (review/states.py): two in three are decided.
GROUPS = ((0, "not_reviewed"), (20, "passed"), (20, "passed"))
LOG_IN = """
from django.contrib.auth.models import Group, User
from django.test import Client
account = User.objects.create_user("desk", is_staff=True)
account.groups.set(Group.objects.filter(name__in=["Reviewer", "Proctor"]))
client = Client()
client.force_login(account)
print(client.cookies["sessionid"].value)
"""


@dataclass
class Side:
    """A server, its database, the cookie of a reviewer who is also a proctor, and what was measured."""

    name: str
    server: Server
    database: Database
    cookie: str
    paths: dict[str, str]
    taken: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, path: str, **headers: str) -> tuple[float, http.client.HTTPResponse]:
        """Milliseconds to the first byte, and the answer, read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"sessionid={self.cookie}", **headers})
        answer = connection.getresponse()
        first_byte = (time.perf_counter() - began) * 1000
        answer.read()
        connection.close()
        if answer.status not in (200, 304):
            raise SystemExit(f"{self.name}: {path} answered {answer.status}")
        return first_byte, answer

    def queries(self, path: str, **headers: str) -> int:
        """What MongoDB was asked for one page, by its own profiler."""
        self.database.command("profile", 0)
        self.database.drop_collection("system.profile")
        self.database.command("profile", 2)
        self.ask(path, **headers)
        self.database.command("profile", 0)
        kinds = {"op": {"$in": ["query", "insert", "update", "remove", "command"]}, "command.profile": None}
        return self.database["system.profile"].count_documents({**kinds, "ns": {"$not": {"$regex": r"\.system\."}}})


def fill(database: Database, sessions: int, *, events_each: int) -> str:
    """The id of the session whose page is measured."""
    documents.insert(database["sessions"], closed(sessions))
    documents.insert(database["events"], events_of(database, events_each))
    documents.fill(database, documents.OURS, sessions=LIVE, events=4, ended=False)
    documents.insert(database["incidents"], judged(sessions // 10))
    (sample,) = documents.fill(database, documents.OURS, sessions=1, events=EVENTS)
    return sample


def closed(count: int) -> Iterator[dict[str, Any]]:
    newest, step = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2), timedelta(days=DAYS) / count
    for n, (band, score, rank) in zip(range(count), cycle(BANDS), strict=False):
        group, outcome = GROUPS[n // len(BANDS) % len(GROUPS)]
        start = newest - n * step
        end = start + timedelta(hours=1)
        yield {
            **documents.our_session(str(uuid4()), start, 20, end=end),
            "machine_score": score,
            "reviewed_score": score,
            "reviewed_band": band,
            "queue_rank": group + rank,
            "policy_version": 1,
            "scored_at": end,
            "scored_revision": 20,
            "review_outcome": outcome,
            "incident_count": 4,
            "open_incidents": 4,
            "confirmed_incidents": 0,
            "due_at": None,
            "outcome_by": "rita" if group else None,
            "reviewed_at": end + timedelta(hours=n % 50) if group else None,
            "assigned_to": "desk" if n < 900 and n % 10 == 0 else None,
            "review_revision": 1 if group else None,
        }


def events_of(database: Database, each: int) -> Iterator[dict[str, Any]]:
    if each:
        for session in database["sessions"].find({}, {"start_time": 1}):
            for n in range(each):
                at = session["start_time"] + timedelta(minutes=n)
                yield documents.our_event(session["_id"], n, at)


def judged(count: int) -> Iterator[dict[str, Any]]:
    at = datetime.now(UTC).replace(microsecond=0)
    for n in range(count):
        event_type = documents.TYPES[n % len(documents.TYPES)]
        yield {
            "_id": str(uuid4()),
            "session_id": str(uuid4()),
            "event_type": event_type,
            "start": at,
            "end": at,
            "event_ids": [],
            "count": 1,
            "peak_confidence": None,
            "sources": [f"detector {n % 7}"],
            "revision": 1,
            "state": ("confirmed", "dismissed")[n % 3 == 0],
            "severity": "low",
            "reason": "x",
            "by": "rita",
            "at": at - timedelta(minutes=n),
            "is_manual": False,
        }


def paths_of(database: Database, sample: str) -> dict[str, str]:
    """`page 500`: of the small size its last full page."""
    closed_ones = database["sessions"].count_documents({"queue_rank": {"$gte": 0}})
    before = min(499 * PER_PAGE, closed_ones - 2 * PER_PAGE) - 1
    order = [("queue_rank", 1), ("start_time", -1), ("_id", -1)]
    (last,) = database["sessions"].find({"queue_rank": {"$gte": 0}}).sort(order).skip(before).limit(1)
    told = [last["queue_rank"], {"at": last["start_time"].replace(tzinfo=UTC).isoformat()}, last["_id"]]
    cursor = urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    return {
        "queue, page 1": LIST,
        "queue, page 500": f"{LIST}?after={cursor}",
        "queue, high, not reviewed": f"{LIST}?review=awaiting&band=high",
        "queue, mine": f"{LIST}?assigned=mine",
        "queue, below 50": f"{LIST}?below=50",
        "queue, search a part of a name": f"{LIST}?q=candidate+{sample[:6]}",
        "counts above the queue": f"{LIST}queue/counts/",
        "live board, first answer": f"{LIST}live/state/",
        "live board, nothing changed": f"{LIST}live/state/",
        "overview": f"{LIST}overview/",
        "session page": f"{LIST}{sample}/change/",
    }


def headers_of(side: Side, page: str) -> dict[str, str]:
    if page != "live board, nothing changed":
        return {}
    return {"If-None-Match": side.ask(side.paths[page])[1].headers["ETag"]}


def log_in(url: str, folder: Path, database: str) -> str:
    environment = {**environment_of(url, folder), "MONGODB_DATABASE": database}
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", LOG_IN]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.desk", description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000, help="of the many; few have as many each")
    parser.add_argument("--rounds", type=int, default=15, help="requests for each page of each size")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        mongod = stack.enter_context(EmbeddedMongod(folder / "mongodb"))
        url, sides = with_options(mongod.url), []
        for name, sessions in (("small", SMALL), ("full", options.sessions)):
            own = folder / name
            own.mkdir()
            prepare(url, own, MONGODB_DATABASE=name)
            each = options.events // options.sessions
            sample = fill(documents.quick(url, name), sessions, events_each=each)
            server = stack.enter_context(serve(url, own, MONGODB_DATABASE=name))
            database = MongoClient(url)[name]
            sides.append(Side(name, server, database, log_in(url, own, name), paths_of(database, sample)))
        measure(sides, options.rounds)
        show(*sides)


def measure(sides: list[Side], rounds: int) -> None:
    for number in range(rounds + 3):  # the first fill caches and load templates
        for page in sides[0].paths:
            for side in sides:
                took, _ = side.ask(side.paths[page], **headers_of(side, page))
                if number >= 3:
                    side.taken.setdefault(page, []).append(took)


def show(small: Side, full: Side) -> None:
    print("| Page | Queries, small and full | First byte, small | full | Ratio |\n|---|---|---|---|---|")
    for page in small.paths:
        counts = [side.queries(side.paths[page], **headers_of(side, page)) for side in (small, full)]
        times = [statistics.median(side.taken[page]) for side in (small, full)]
        print(
            f"| {page} | {counts[0]}, {counts[1]} | {times[0]:.0f} ms | {times[1]:.0f} ms | {times[1] / times[0]:.2f} |"
        )


if __name__ == "__main__":
    main()
