"""What the hot paths cost, beside the earlier service on the same mongod: `make bench ARGS="--seconds 3 --rounds 5"`.

Starts a mongod, the product and the peer in a temporary folder and lets them take turns. Quote the ratios, the median
of the rounds: machines are noisy. It ends with an error when stored events, counts and acknowledged answers are not
equal, and with --check when a ratio is below its floor.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pymongo import MongoClient
from pymongo.database import Database

from bench import documents, scale, watch
from bench.compare import Comparison, told
from bench.server import Server, new_sessions, prepare, serve, serve_peer, video_of
from bench.sides import BareDriver, Side, Slice
from bench.workloads import LIMITS, UPLOAD_MIB, WORKLOADS, Filled, Work, upload_of, works
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.mongo_engine.mongodb_url import with_options

COLD, OF_200, OF_5000, LISTED = 500, 50, 4, 1000
GROWTH_MAX_MIB = 32


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5, help="of a turn of each side")
    parser.add_argument("--only", default="", help=f"of {','.join(w.name for w in WORKLOADS)}")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--upload-mib", type=int, default=1024, help="for the growth of memory; 0: leave out")
    parser.add_argument("--peer-driver", choices=("motor", "pymongo"), default="motor", help="see bench/peer/app.py")
    parser.add_argument("--check", action="store_true", help="exit 1 when a median is below its floor")
    parser.add_argument("--scale", action="store_true", help="in place of it all: whether size makes us slower")
    parser.add_argument("--sessions", type=int, default=100_000, help="with --scale")
    parser.add_argument("--events", type=int, default=5_000_000, help="with --scale")
    options = parser.parse_args()
    known = {w.name for w in WORKLOADS}
    if unknown := set(filter(None, options.only.split(","))) - known:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running or lying about
    began, machine = time.monotonic(), watch.Machine.now()
    print(f"{options.rounds} rounds of {options.seconds:g} s, {os.cpu_count()} cores", flush=True)
    print(f"the peer by {options.peer_driver}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedMongod(Path(folder) / "mongodb") as mongod:
        run = scale.run if options.scale else run_all
        is_good = run(options, with_options(mongod.url), mongod.pid, Path(folder))
    print(f"\nThe whole run: {time.monotonic() - began:,.0f} s, {watch.Machine.now().since(machine)}")
    if options.check and not is_good:
        sys.exit(1)


def run_all(options: argparse.Namespace, url: str, mongod_pid: int, folder: Path) -> bool:
    chosen = [w for w in WORKLOADS if not options.only or w.name in options.only.split(",")]
    client = MongoClient(url)
    machine_token = prepare(url, folder)
    with ExitStack() as stack:
        peer = Side("peer", stack.enter_context(serve_peer(url, folder, driver=options.peer_driver)), mongod_pid, {})
        ours = Side("ours", stack.enter_context(serve(url, folder)), mongod_pid, {})
        sides = {"peer": peer}
        video = video_of(folder, UPLOAD_MIB) if any(w.name == "upload" for w in chosen) else None
        written = {}
        for side, name, shape, token in (
            (ours, "proctoring", documents.OURS, machine_token),
            (peer, "peer", documents.PEERS, ""),
        ):
            filled = filled_for(chosen, side.server, documents.quick(url, name), shape, options.connections)
            written[side.name] = (side, client[name], filled)
            make_cold = partial(documents.change, documents.quick(url, name), filled.cold)
            side.works = works(filled, machine=token, make_cold=make_cold, video=video)
        if any(w.against == "open" for w in chosen):
            sides["open"] = Side("open", stack.enter_context(serve(url, folder, OPEN_API="1")), mongod_pid, {})
            without = Filled([(pk, "") for pk, _ in new_sessions(sides["open"].server, options.connections)])
            sides["open"].works = works(without, make_cold=lambda: None)
            written["open"] = (sides["open"], client["proctoring"], without)
        sides["driver"] = driver(client, url, mongod_pid)

        comparisons, limits = take_turns(options, chosen, ours, sides)
        show(comparisons, limits, sides)
        agree = [are_equal(*of, is_ours=name != "peer") for name, of in written.items()]
        fits = not options.upload_mib or bool(options.only) or memory_stays(ours, folder, options.upload_mib)
    if not all(agree):
        sys.exit("They differ: events were lost, doubled or miscounted.")
    return fits and not any(one.is_below or one.errors for one in comparisons)


def take_turns(
    options: argparse.Namespace, chosen: Sequence, ours: Side, sides: dict
) -> tuple[list[Comparison], dict[str, list[Slice]]]:
    comparisons = [Comparison(workload) for workload in chosen]
    limits: dict[str, list[Slice]] = {name: [] for name in LIMITS}
    for one in comparisons:  # imports, connections, stored reports
        for side in (ours, sides[one.workload.against]):
            side.take(one.workload.requests, one.workload.connections or options.connections, 0.3)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for name, slices in limits.items():
            slices.append(sides["driver"].take(name, 0, min(1, options.seconds)))
        for one in comparisons:
            other = sides[one.workload.against]
            one.take(ours, other, connections=options.connections, seconds=options.seconds)
    return comparisons, limits


def show(comparisons: Sequence[Comparison], limits: dict[str, list[Slice]], sides: dict) -> None:
    print("Ours to the other's, the median of the rounds (and each); of times, CPU and memory less is better.\n")
    for one in comparisons:
        print("\n".join(one.lines(("ours", one.workload.against))))
    print("\nThe limits of this machine, by the bare driver:")
    for name, slices in limits.items():
        print("      " + told(name.ljust(16), "documents" if "insert" in name else "finds", slices))
    below = [one.workload.name for one in comparisons if one.is_below]
    errors = [error for one in comparisons for error in one.errors]
    print(f"\nBelow their floors: {', '.join(below) or 'none'}. Errors: {len(errors)} {sorted(set(errors)) or ''}")


def filled_for(chosen: Sequence, server: Server, database: Database, shape: documents.Shape, n: int) -> Filled:
    names = {w.name for w in chosen}
    writable = new_sessions(server, max(n, 2))
    documents.fill(database, shape, sessions=LISTED, events=0)

    def filled(needed: set[str], sessions: int, events: int) -> list[str]:
        return documents.fill(database, shape, sessions=sessions if names & needed else 1, events=events)

    return Filled(
        writable,
        cold=filled({"session", "report_changed"}, COLD, 200),
        of_200=filled({"session_again", "report_200"}, OF_200, 200),
        of_5000=filled({"report_5000"}, OF_5000, 5000),
    )


def driver(client: MongoClient, url: str, mongod_pid: int) -> BareDriver:
    """Its documents are ours, in a collection with our index."""
    client["bare"]["events"].create_index([("session_id", 1), ("occurred_at", 1), ("_id", 1)])
    ids = [session["_id"] for session in client["proctoring"]["sessions"].find({"event_counts.focus_lost": 80})][:500]
    return BareDriver(url, mongod_pid, {**LIMITS, "batch_500": 500}, tuple(ids))


def are_equal(side: Side, database: Database, filled: Filled, *, is_ours: bool) -> bool:
    """Acknowledged = stored, and of ours = counted. And what we filled in looks as what the product stores."""
    per_request = {name: int(side.works[name].units) for name in ("event", "batch_50", "batch_500")}
    acknowledged = sum(n * side.acknowledged.get(name, 0) for name, n in per_request.items())
    ids = [pk for pk, _ in filled.writable]
    stored = database["events"].count_documents({"session_id": {"$in": ids}})
    counts = {stored}
    if is_ours:
        found = database["sessions"].find({"_id": {"$in": ids}}, {"event_counts": 1})
        counts.add(sum(sum(session["event_counts"].values()) for session in found))
        if stored:
            documents.demand_product_shape(database, database["events"].find_one({"session_id": ids[0]})["session_id"])
    print(f"{side.name}: events acknowledged {acknowledged:,}, stored and counted {sorted(counts)}")
    return counts == {acknowledged}


def memory_stays(ours: Side, folder: Path, mib: int) -> bool:
    """Whether a very large upload leaves the workers' memory where it was."""
    work: Work = upload_of(video_of(folder, mib), new_sessions(ours.server, 1))
    ours.works = {**ours.works, "large": work}
    watch.forget_peak_memory(ours.server.pid)
    before = watch.peak_memory_mib(ours.server.pid)
    taken = ours.take("large", 1, 0)
    more = taken.peak_mib - before
    verdict = "" if more <= GROWTH_MAX_MIB else "  ABOVE"
    print(f"an upload of {work.units:,.0f} MiB: {taken.rate:,.0f} MiB/s, peak memory +{more:.1f} MiB ", end="")
    print(f"(at most +{GROWTH_MAX_MIB}){verdict}; errors {len(taken.errors)} {taken.errors or ''}")
    return not verdict and not taken.errors


if __name__ == "__main__":
    main()
