"""What another policy costs: `python -m bench.rescore --sessions 10000 --events 50`.

Fills a database of its own, scores it as an adopted one, previews another policy, scores all anew, and once more with
the process killed in the middle. In the end MongoDB's own arithmetic is compared with every stored score.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from bench import documents, watch
from bench.server import environment_of, prepare
from proctoring_site.launch.child_process import start_tied
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.mongo_engine.mongodb_url import with_options
from sessions_app.scoring import DEFAULT_WEIGHTS

WEIGHTS = {1: dict(DEFAULT_WEIGHTS), 2: {"focus_lost": 3, "no_face": 1}, 3: {"no_face": 4}}
CAPS = {2: {"focus_lost": 25}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.rescore", description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=50, help="at most, of each session")
    options = parser.parse_args()
    machine = watch.Machine.now()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedMongod(Path(folder) / "mongodb") as mongod:
        url = with_options(mongod.url)
        prepare(url, Path(folder))
        database = MongoClient(url)["proctoring"]
        fill(url, options.sessions, options.events)
        store_policies(database)
        print(f"{options.sessions:,} sessions, {database['events'].estimated_document_count():,} events\n")
        tell("first score of all", database, rescore(url, Path(folder), "--policy=1"))
        tell("preview", database, rescore(url, Path(folder), "--policy=2", "--dry-run"))
        tell("rescore", database, rescore(url, Path(folder), "--policy=2"))
        agree(database, 2)
        killed_in_the_middle(url, Path(folder), database, 3, options.sessions)
    print(f"The machine: {watch.Machine.now().since(machine)}")


def fill(url: str, sessions: int, events: int) -> None:
    """Sessions with no event up to so many, in equal shares."""
    shares = 10
    for n in range(shares):
        documents.fill(
            documents.quick(url, "proctoring"),
            documents.OURS,
            sessions=sessions // shares,
            events=events * n // (shares - 1),
        )


def store_policies(database: Database) -> None:
    row = {"gap_s": 30.0, "min_duration_s": 0.0, "counts": "events", "low_from": 80, "medium_from": 50}
    row |= {"coverage_min": 0.8, "second_review_above": 50, "clean_from": 95, "note": "", "created_by": "bench"}
    for version in (2, 3):
        own = {"_id": version, "weights": WEIGHTS[version], "caps": CAPS.get(version, {})}
        database["policies"].insert_one({**row, **own, "created_at": datetime.now(UTC)})


def rescore(url: str, folder: Path, *arguments: str) -> float:
    """Seconds of CPU, with the start of the process and without mongod's."""
    command = [sys.executable, "manage.py", "rescore", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment_of(url, folder), check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tell(what: str, database: Database, cpu_s: float) -> None:
    """By the run's own clock, without the start of the process."""
    run = newest_run(database)
    took_s = (run["finished_at"] - run["started_at"]).total_seconds()
    rate = run["done"] / took_s
    print(f"{what}: {run['done']:,} sessions in {took_s:.1f} s, {rate:,.0f} a second; {cpu_s:.1f} s of CPU", flush=True)
    print(f"  bands: {run['moves']}")


def killed_in_the_middle(url: str, folder: Path, database: Database, version: int, sessions: int) -> None:
    done = {"policy_version": version}
    command = [sys.executable, "manage.py", "rescore", f"--policy={version}"]
    process = start_tied(command, env=environment_of(url, folder), stdout=subprocess.DEVNULL)
    while database["sessions"].count_documents(done) < sessions // 3:
        time.sleep(0.01)
    process.kill()
    process.wait()
    left = sessions - database["sessions"].count_documents(done)
    print(f"killed with {left:,} sessions left", flush=True)
    rescore(url, folder, f"--policy={version}")
    agree(database, version)
    entries = database["review_history"].count_documents({"run_id": newest_run(database)["_id"]})
    if entries != sessions or not left:
        sys.exit(f"{entries} old scores are in the history, of {sessions} sessions.")
    print("resumed: every session once, every old score in the history")


def agree(database: Database, version: int) -> None:
    """Ends with an error unless each stored score is what MongoDB counts."""
    off: dict[str, int] = {}
    by_type = {"$group": {"_id": {"s": "$session_id", "t": "$event_type"}, "n": {"$sum": 1}}}
    for row in database["events"].aggregate([by_type], allowDiskUse=True):
        session_id, event_type = row["_id"]["s"], row["_id"]["t"]
        points = WEIGHTS[version].get(event_type, 0) * row["n"]
        off[session_id] = off.get(session_id, 0) + min(points, CAPS.get(version, {}).get(event_type, points))
    wrong = 0
    for session in database["sessions"].find({}, {"reviewed_score": 1, "machine_score": 1, "policy_version": 1}):
        score = max(0, 100 - off.get(session["_id"], 0))
        wrong += (score, score, version) != (
            session["reviewed_score"],
            session["machine_score"],
            session["policy_version"],
        )
    if wrong:
        sys.exit(f"{wrong} stored scores are not what the events add up to.")
    print(f"policy {version}: every stored score is what MongoDB adds up", flush=True)


def newest_run(database: Database) -> dict[str, Any]:
    return database["policy_runs"].find_one(sort=[("started_at", -1)])


if __name__ == "__main__":
    main()
