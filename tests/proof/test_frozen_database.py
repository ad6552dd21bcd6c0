"""mongod stops in the middle of requests: each gets its 503 in time, none is half-written, a resend settles it."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from pymongo.database import Database

from proctoring_site.calls.outage import RETRY_AFTER_S
from tests.patient_client import Ledger, PatientClient, Told
from tests.proof.conftest import Size
from tests.proof.stored import compare
from tests.servers import Mongod, Web, until

#: The documented limits, and what a busy machine may add.
SHORT_WRITE_S, READ_S, SLACK_S = 3, 15, 2
BATCH = 8
SENDERS = {"event": 4, "batch": 3, "heartbeat": 2, "read": 2, "start": 1}
#: Refused by each sender before the database goes on: the first with a command under way, the rest without.
REFUSALS = 3


@dataclass
class Sent:
    """One request, when it began and ended by the monotonic clock, and what came of it."""

    kind: str
    events: list[Told]
    began: float
    took_s: float = 0
    answer: httpx.Response | None = None

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def limit_s(self) -> float:
        return (READ_S if self.kind == "read" else SHORT_WRITE_S) + SLACK_S


@dataclass
class Sender:
    """Sends one kind of request, one after the other, and never the same twice."""

    kind: str
    client: PatientClient
    sent: list[Sent] = field(default_factory=list)

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for _ in range({"event": 1, "batch": BATCH}.get(self.kind, 0)):
                self.client.report()
            events, self.client.buffer = self.client.buffer, []
            request = Sent(self.kind, events, time.monotonic())
            request.answer = self.ask(events)
            request.took_s = time.monotonic() - request.began
            self.sent.append(request)

    def ask(self, events: list[Told]) -> httpx.Response:
        http, path = self.client.http, f"/sessions/{self.client.session_id}"
        match self.kind:
            case "event":
                return http.post(f"{path}/events", json=events[0])
            case "batch":
                return http.post(f"{path}/events/batch", json={"events": events})
            case "heartbeat":
                return http.post(f"{path}/heartbeat", json={"camera": True})
            case "start":
                return http.post("/sessions", json={"candidate_name": "Ada"}, headers={"Authorization": ""})
            case _:
                return http.get(path)

    def refused(self, *, since: float = 0) -> int:
        return sum(request.status == 503 for request in self.sent if request.began >= since)


def test_a_frozen_database_is_a_503_in_time_and_nothing_is_half_written(
    mongod: Mongod, web: Web, stored: Database, size: Size, say: Callable[[str], None]
) -> None:
    ledger = Ledger()
    kinds = [kind for kind, times in SENDERS.items() for _ in range(times)]
    senders = [Sender(kind, PatientClient(web.url, ledger, seed=n)) for n, kind in enumerate(kinds)]
    stop, spans = threading.Event(), []
    with ThreadPoolExecutor(len(senders)) as pool:
        try:
            at_work = [pool.submit(sender.work, stop) for sender in senders]
            for _ in range(size.freezes):
                until_answered(senders)
                spans.append(freeze(mongod, senders))
            until_answered(senders)
        finally:
            mongod.thaw()
            stop.set()
        for work in at_work:
            work.result()
    requests = [request for sender in senders for request in sender.sent]
    refused = [request for request in requests if request.status == 503]
    say(
        f"freezes: {size.freezes} of mongod; {len(requests)} requests, {len(refused)} answered 503, the slowest: "
        + ", ".join(f"{kind} {slowest(refused, kind):.1f} s" for kind in SENDERS)
    )
    assert Counter(r.status for r in requests).keys() <= {200, 201, 503}
    assert [(r.kind, r.took_s) for r in requests if r.took_s > r.limit_s] == []
    assert {r.answer.headers["Retry-After"] for r in refused} == {str(RETRY_AFTER_S)}
    for began, ended in spans:
        inside = [r for r in requests if began <= r.began and r.began + r.took_s < ended]
        assert {r.status for r in inside} == {503}
    assert_all_or_nothing(refused, stored)
    say(settled(senders, refused, ledger, stored))


def freeze(mongod: Mongod, senders: list[Sender]) -> tuple[float, float]:
    """Until every sender was refused REFUSALS times, the first time in the middle of a request."""
    refused = {id(sender): sender.refused() for sender in senders}
    mongod.freeze()
    began = time.monotonic()
    until(lambda: all(sender.refused() >= refused[id(sender)] + REFUSALS for sender in senders))
    ended = time.monotonic()
    mongod.thaw()
    return began, ended


def until_answered(senders: list[Sender]) -> None:
    since = time.monotonic()
    good = {200, 201}
    until(lambda: all(any(r.status in good and r.began >= since for r in s.sent) for s in senders))


def slowest(requests: list[Sent], kind: str) -> float:
    return max((request.took_s for request in requests if request.kind == kind), default=0)


def assert_all_or_nothing(refused: list[Sent], stored: Database) -> None:
    """Of a request that was answered 503, all events are there or none."""
    for request in refused:
        ids = [event["id"] for event in request.events]
        assert stored["events"].count_documents({"_id": {"$in": ids}}) in {0, len(ids)}


def settled(senders: list[Sender], refused: list[Sent], ledger: Ledger, stored: Database) -> str:
    """Send what was refused again, twice, and end; then all is there once and counted."""
    found = compare(stored, ledger)
    assert (found.unknown, found.altered, found.doubled) == (0, 0, 0)
    acknowledged: dict[str, Any] = {}
    for sender in senders:
        for request in sender.sent:
            if request in refused:
                assert {sender.ask(request.events).status_code for _ in range(2)} <= {200, 201}
            acknowledged |= {event["id"]: request for event in request.events}
        sender.client.end()
        sender.client.close()
    ledger.acknowledged |= acknowledged.keys()
    found = compare(stored, ledger)
    assert found.faults == {}
    assert found.stored == len(ledger.sent)
    return (
        f"after the freezes: {found.acknowledged} events acknowledged, {found.stored} stored, "
        f"{found.lost} lost, {found.doubled} doubled"
    )
