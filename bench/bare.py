"""The limits of the machine: the bare driver on the same mongod, 2 processes of 8 threads, as durable as we are."""

import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Barrier, Thread

from pymongo import MongoClient

from bench.documents import our_event

PROCESSES, THREADS = 2, 8


@dataclass(frozen=True, slots=True)
class Limit:
    """`size`: documents of one call; `sessions`: whose events are found, none to insert."""

    mongodb_url: str
    seconds: float
    size: int
    sessions: tuple[str, ...] = ()


def put_on(limit: Limit) -> list[float]:
    """The seconds that each call took."""
    command = [sys.executable, "-c", "from bench import bare; bare.main()"]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    for process in running:
        process.stdin.write(pickle.dumps(limit))
        process.stdin.close()
    return [latency for process in running for latency in _answer(process)]


def main() -> None:
    limit: Limit = pickle.load(sys.stdin.buffer)
    latencies: list[float] = []
    all_warm = Barrier(THREADS)
    with MongoClient(limit.mongodb_url) as client:
        threads = [Thread(target=_loop, args=(client, limit, n, all_warm, latencies)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    pickle.dump(latencies, sys.stdout.buffer)


def _loop(client: MongoClient, limit: Limit, n: int, all_warm: Barrier, latencies: list[float]) -> None:
    _call(client, limit, n)
    all_warm.wait()
    until = time.perf_counter() + limit.seconds
    mine: list[float] = []
    while (began := time.perf_counter()) < until:
        n += 1
        _call(client, limit, n)
        if (now := time.perf_counter()) <= until:
            mine.append(now - began)
    latencies += mine


def _call(client: MongoClient, limit: Limit, n: int) -> None:
    if limit.sessions:
        session_id = limit.sessions[n % len(limit.sessions)]
        found = client["proctoring"]["events"].find({"session_id": session_id}, batch_size=1000)
        list(found.sort([("occurred_at", 1), ("_id", 1)]))
        return
    at = datetime.now(UTC)
    documents = [our_event("bare", n, at) for n in range(limit.size)]
    if limit.size == 1:
        client["bare"]["events"].insert_one(documents[0])
    else:
        client["bare"]["events"].insert_many(documents, ordered=False)


def _answer(process: subprocess.Popen[bytes]) -> list[float]:
    said = process.stdout.read()
    if process.wait():
        raise RuntimeError("the bare driver failed; the reason stands above")
    return pickle.loads(said)
