"""What the hot paths cost: `make bench`, or `python -m bench --seconds 5 --writers 32`.

Starts a mongod and a server of its own in a temporary folder, drives them over loopback, and prints rates beside what
the bare driver reaches on the same mongod in the same run: quote the ratios, for machines are noisy. It ends with an
error when stored events, counts and acknowledged answers are not equal.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Thread
from uuid import uuid4

from pymongo import MongoClient

from bench.server import Server, prepare, serve, video_of
from proctoring_site.embedded_mongod import EmbeddedMongod
from proctoring_site.mongodb_url import with_options

PROCESSES = 2
#: On each of two servers that are compared.
TURNS = 6


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="per measurement")
    parser.add_argument("--writers", type=int, default=32, help="connections at once")
    parser.add_argument("--sessions", type=int, default=1000, help="in the list")
    parser.add_argument("--upload-mib", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedMongod(Path(folder) / "mongodb") as mongod:
        url = with_options(mongod.url)
        staff = prepare(url, Path(folder))
        with serve(url, Path(folder)) as server:
            run(options, url, server, Path(folder), staff)
        # Both fresh: a server that has just answered with long lists and taken an upload is slower.
        with serve(url, Path(folder)) as server, serve(url, Path(folder), OPEN_API="1") as open_server:
            compare_with_open_api(options, url, server, open_server)


def run(options: argparse.Namespace, url: str, server: Server, folder: Path, staff: str) -> None:
    database = MongoClient(url)["proctoring"]
    print(f"{options.writers} connections, {options.seconds:g} s each, {os.cpu_count()} cores\n")
    print(f"{'':34}{'per second':>11}{'p50 ms':>9}{'p99 ms':>9}   ratio to the bare driver")

    bare = drive(options, "insert", url, "")
    show("driver: insert_one", bare)
    session, candidate = new_session(server.port)
    posted = drive(options, "event", f"127.0.0.1:{server.port}", f"/sessions/{session}/events", candidate)
    show("POST /sessions/{id}/events", posted, to=bare)
    agree(database, session, posted.done)

    show("POST /sessions", drive(options, "create", f"127.0.0.1:{server.port}", "/sessions"), to=bare)

    fill(database, options.sessions)
    small, large = (with_events(database, n) for n in (200, 5000))
    found = drive(options, "find", url, small)
    show("driver: find 200 events", found)
    for title, path in (
        ("GET /sessions/{id}, 200 events", f"/sessions/{small}"),
        ("GET …/report, 200 events", f"/sessions/{small}/report"),
        ("GET …/report, 5,000 events", f"/sessions/{large}/report"),
        ("GET /sessions (100 of many)", "/sessions"),
    ):
        show(title, drive(options, "get", f"127.0.0.1:{server.port}", path, staff), to=found)
    upload(server, folder, options.upload_mib)


def compare_with_open_api(options: argparse.Namespace, url: str, server: Server, open_server: Server) -> None:
    """What the candidate's token costs: turns on both servers, one after the other, so that they share the noise."""
    database = MongoClient(url)["proctoring"]
    sessions = [(one, *new_session(one.port)) for one in (server, open_server)]
    rates: dict[int, list[float]] = {one.port: [] for one, *_ in sessions}
    done = dict.fromkeys(rates, 0)
    for turn in range(TURNS):
        for one, session, candidate in sessions if turn % 2 else reversed(sessions):
            token = candidate if one is server else ""
            path = f"/sessions/{session}/events"
            posted = drive(options, "event", f"127.0.0.1:{one.port}", path, token, seconds=options.seconds / 2)
            rates[one.port].append(posted.rate)
            done[one.port] += posted.done
    print(f"\nPOST events, {TURNS} turns of {options.seconds / 2:g} s on each server, medians:")
    for one, session, _ in sessions:
        agree(database, session, done[one.port])
    guarded, unguarded = (median(rates[one.port]) for one in (server, open_server))
    print(f"    with a token {guarded:,.0f} per second, OPEN_API=1 {unguarded:,.0f}: ratio {guarded / unguarded:.2f}")


class Result:
    def __init__(self, done: int, seconds: float, latencies_s: list[float]) -> None:
        ordered = sorted(latencies_s)
        self.done, self.rate = done, done / seconds
        self.p50_ms, self.p99_ms = median(ordered) * 1000, ordered[int(len(ordered) * 0.99)] * 1000


def show(title: str, result: Result, *, to: Result | None = None) -> None:
    ratio = f"{result.rate / to.rate:6.2f}" if to else ""
    print(f"{title:34}{result.rate:11,.0f}{result.p50_ms:9.1f}{result.p99_ms:9.1f}   {ratio}", flush=True)


def drive(
    options: argparse.Namespace, what: str, where: str, path: str, token: str = "", *, seconds: float | None = None
) -> Result:
    """The same request again and again from `writers` connections, spread over processes of their own."""
    each, seconds = max(1, options.writers // PROCESSES), seconds or options.seconds
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = list(pool.map(_drive, *zip(*[(what, where, path, token, each, seconds)] * PROCESSES, strict=True)))
    latencies = [latency for part in parts for latency in part]
    return Result(len(latencies), seconds, latencies)


def _drive(what: str, where: str, path: str, token: str, connections: int, seconds: float) -> list[float]:
    client = MongoClient(where) if what in {"insert", "find"} else None
    latencies: list[float] = []
    threads = [
        Thread(target=_loop, args=(_request(what, where, path, token, client), seconds, latencies))
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def _loop(request: Callable[[], None], seconds: float, latencies: list[float]) -> None:
    request()  # connects; not measured, but it counts as done
    mine = [0.0]
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        request()
        mine.append(time.perf_counter() - began)
    latencies.extend(mine)


def _request(what: str, where: str, path: str, token: str, client: MongoClient | None) -> Callable[[], None]:
    if what == "insert":
        events = client["proctoring"]["bench"]
        return lambda: events.insert_one(
            {"_id": str(uuid4()), "event_type": "focus_lost", "timestamp": datetime.now(UTC)}
        )
    if what == "find":
        events = client["proctoring"]["events"]
        return lambda: list(events.find({"session_id": path}, batch_size=1000).sort([("timestamp", 1), ("_id", 1)]))
    host, _, port = where.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    method = "GET" if what == "get" else "POST"
    body = {
        "get": None,
        "event": json.dumps({"event_type": "focus_lost", "message": "window"}),
        "create": json.dumps({"candidate_name": "Bench"}),
    }[what]
    headers = ({"Content-Type": "application/json"} if body else {}) | (bearer(token) if token else {})

    def request() -> None:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} answered {answer.status}")

    return request


def agree(database, session: str, acknowledged: int) -> None:
    stored = database["events"].count_documents({"session_id": session})
    counted = sum(database["sessions"].find_one({"_id": session})["event_counts"].values())
    print(f"    acknowledged {acknowledged:,}, stored {stored:,}, counted {counted:,}")
    if not acknowledged == stored == counted:
        sys.exit("They differ: events were lost, doubled or miscounted.")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_session(port: int) -> tuple[str, str]:
    """Its id, and its candidate's token."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(
        "POST", "/sessions", json.dumps({"candidate_name": "Bench"}), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    if answer.status != 201:
        raise RuntimeError(f"POST /sessions answered {answer.status}")
    session = json.load(answer)
    return session["id"], session["token"]


def fill(database, sessions: int) -> None:
    start = datetime.now(UTC)
    database["sessions"].insert_many(
        {"_id": str(uuid4()), "candidate_name": f"Candidate {n}", "start_time": start - timedelta(minutes=n),
         "end_time": None, "video_path": None, "event_counts": {}, "revision": 0}
        for n in range(sessions)
    )  # fmt: skip


def with_events(database, n: int) -> str:
    session, start = str(uuid4()), datetime.now(UTC) - timedelta(hours=1)
    database["sessions"].insert_one(
        {"_id": session, "candidate_name": f"{n} events", "start_time": start, "end_time": start + timedelta(hours=1),
         "video_path": None, "event_counts": {"focus_lost": n}, "revision": n}
    )  # fmt: skip
    database["events"].insert_many(
        {"_id": str(uuid4()), "session_id": session, "event_type": "focus_lost", "message": "window",
         "timestamp": start + timedelta(milliseconds=500 * i)}
        for i in range(n)
    )  # fmt: skip
    return session


def upload(server: Server, folder: Path, mib: int) -> None:
    clip = video_of(folder, mib)
    session, candidate = new_session(server.port)
    server.forget_peak_memory()
    at_rest = server.peak_memory_kib()
    began = time.perf_counter()
    subprocess.run(
        [
            "curl",
            "--silent",
            "--fail",
            "--output",
            os.devnull,
            "-H",
            f"Authorization: Bearer {candidate}",
            "-F",
            f"file=@{clip}",
            f"http://127.0.0.1:{server.port}/sessions/{session}/video",
        ],
        check=True,
    )
    seconds = time.perf_counter() - began
    size = clip.stat().st_size
    mib_per_s, more_mib = size / 2**20 / seconds, (server.peak_memory_kib() - at_rest) / 1024
    print(
        f"\nupload of {size / 2**20:,.0f} MiB: {mib_per_s:,.0f} MiB/s, peak memory of the workers +{more_mib:.1f} MiB"
    )


if __name__ == "__main__":
    main()
