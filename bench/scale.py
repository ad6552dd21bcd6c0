"""Whether size makes us slower: two servers, one on 1,000 sessions and one on many more, take turns on one mongod."""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

from pymongo import MongoClient

from bench import documents
from bench.compare import Comparison
from bench.server import new_sessions, prepare, serve
from bench.sides import Side
from bench.workloads import Filled, Workload, works

SMALL_SESSIONS = 1000
SAMPLE, SAMPLE_EVENTS = 100, 200
#: The full size must be at least so quick; there is no harm in being quicker.
FLOOR = 0.85
WORKLOADS = tuple(
    Workload(name, title, FLOOR, unit="events" if name == "batch_50" else "requests", against="small")
    for name, title in (
        ("event", "POST an event"),
        ("batch_50", "POST a batch of 50"),
        ("session", "GET a session of 200 events"),
        ("report_200", "GET the report of 200 events"),
        ("list", "GET the list, 100 of many"),
    )
)


def run(options: argparse.Namespace, url: str, mongod_pid: int, folder: Path) -> bool:
    """True when nothing is slower by more than 15 %."""
    with ExitStack() as stack:
        sides = {}
        per_session = max(1, options.events // options.sessions)
        for name, sessions in (("full", options.sessions), ("small", SMALL_SESSIONS)):
            own = folder / name
            own.mkdir()
            token = prepare(url, own, MONGODB_DATABASE=name)
            began = time.monotonic()
            quick = documents.quick(url, name)
            documents.fill(quick, documents.OURS, sessions=sessions - SAMPLE, events=per_session)
            sample = documents.fill(quick, documents.OURS, sessions=SAMPLE, events=SAMPLE_EVENTS)
            database = MongoClient(url)[name]
            print(f"{name}: {database['sessions'].estimated_document_count():,} sessions, ", end="")
            print(f"{database['events'].estimated_document_count():,} events in {time.monotonic() - began:,.0f} s")
            server = stack.enter_context(serve(url, own, MONGODB_DATABASE=name))
            filled = Filled(new_sessions(server, options.connections), cold=sample, of_200=sample)
            sides[name] = Side(name, server, mongod_pid, works(filled, machine=token, make_cold=lambda: None))
        comparisons = [Comparison(workload) for workload in WORKLOADS]
        for one in comparisons:
            for side in sides.values():
                side.take(one.workload.name, options.connections, 0.5)
        for _ in range(options.rounds):
            for one in comparisons:
                one.take(sides["full"], sides["small"], connections=options.connections, seconds=options.seconds)
    for one in comparisons:
        print("\n".join(one.lines(("full", "small"))), flush=True)
    return not any(one.is_below or one.errors for one in comparisons)
