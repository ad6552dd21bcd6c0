"""The documented loop of a candidate's browser, in Python: buffer, send, and keep each event until it is answered. Not
for use outside of tests: it takes whatever answers for the server.

An event is acknowledged by a 2xx, dropped at a 4xx that says something about the event, and sent again, after a pause
that doubles and is a little random, at whatever else: a network error, 429, any 5xx.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.callers import bearer

Told = dict[str, Any]
TYPES = ("focus_lost", "looking_away", "no_face", "phone_detected", "tab.hidden", "paste")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
#: Longer than any limit of the server's, so that a request that hangs is seen as one.
TIMEOUT_S = 60
#: For the last event of a crowd to be answered once nothing is killed any more.
PATIENCE_S = 120


class GivenUp(Exception):
    """The test has failed, and nobody waits for the answers any more."""


@dataclass(eq=False)
class Ledger:
    """What one or more clients know for certain; threads add to it."""

    sent: dict[str, Told] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    #: Requests that failed, by status or kind of network error.
    failures: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    #: The statuses that drop an event; there should be none.
    dropped: list[tuple[str, int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    given_up: threading.Event = field(default_factory=threading.Event)

    def failed(self) -> int:
        return self.failures.total()


class PatientClient:
    """One candidate. `report` fills the buffer; `flush` returns when every event of it was answered."""

    def __init__(self, url: str, ledger: Ledger, *, seed: int) -> None:
        self.ledger, self.random = ledger, random.Random(seed)
        self.http = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self.buffer: list[Told] = []
        self.sequence = 0
        started = self._start(f"Candidate {seed}")
        self.session_id, self.http.headers = started["id"], {**self.http.headers, **bearer(started["token"])}
        #: Sessions that it started and left alone, while others are killed.
        self.others: list[str] = []

    def report(self, **told: Any) -> None:
        self.sequence += 1
        event = {"id": str(uuid4()), "event_type": self.random.choice(TYPES), "sequence": self.sequence, **told}
        event |= {"message": f"event {self.sequence} of {self.session_id}", "data": {"n": [self.sequence]}}
        with self.ledger.lock:
            self.ledger.sent[event["id"]] = {**event, "session_id": self.session_id}
        self.buffer.append(event)

    def flush(self) -> None:
        """One event alone, or all in a batch; now and then twice at the same time, or again though it was answered."""
        events, self.buffer = self.buffer, []
        if not events:
            return
        times = 2 if self.random.random() < 0.2 else 1
        if times == 1:
            self._send(events)
        else:
            with ThreadPoolExecutor(times) as twins:
                list(twins.map(self._send, [events] * times))
        if self.random.random() < 0.2:
            self._send(events[: self.random.randint(1, len(events))])

    def _start(self, name: str) -> Told:
        """With a key, so that it can be sent again: now and then twice at the same time, too."""
        told = {"candidate_name": name, "start_key": str(uuid4())}
        with ThreadPoolExecutor(2) as twins:
            started = [one.json() for one in twins.map(self._ask_to_start, [told] * self.random.choice((1, 2)))]
        assert len({one["id"] for one in started}) == 1, "one start opened two sessions"
        return started[-1]

    def _ask_to_start(self, told: Told) -> httpx.Response:
        return self._until_answered("/sessions", told)

    def work(self, stop: threading.Event) -> None:
        """Report and send until told to stop, and then send what is left."""
        while not stop.is_set():
            for _ in range(self.random.choice((1, 1, 1, 5, 30))):
                self.report()
            self.flush()
            if self.random.random() < 0.3:
                self.others.append(self._start("Left alone")["id"])
        self.flush()

    def end(self) -> None:
        self._until_answered(f"/sessions/{self.session_id}/end", {})

    def close(self) -> None:
        self.http.close()

    def _send(self, events: Sequence[Told]) -> None:
        path = f"/sessions/{self.session_id}/events"
        if len(events) == 1:
            answer = self._until_answered(path, events[0])
            good = [answer.json()["id"]] if answer.is_success else []
        else:
            answer = self._until_answered(f"{path}/batch", {"events": list(events)})
            outcome = answer.json() if answer.is_success else {"created": [], "duplicate": [], "rejected": []}
            good = [row["id"] for row in (*outcome["created"], *outcome["duplicate"])]
            undecided = {row["index"] for row in outcome["rejected"] if row["code"] == "try_again"}
            if undecided:
                self._send([event for at, event in enumerate(events) if at in undecided])
            for row in outcome["rejected"]:
                if row["code"] != "try_again":
                    self.ledger.dropped.append((row["id"], answer.status_code, row["code"]))
        if not answer.is_success:
            self.ledger.dropped += [(event["id"], answer.status_code, answer.text) for event in events]
        with self.ledger.lock:
            self.ledger.acknowledged.update(good)

    def _until_answered(self, path: str, body: Told) -> httpx.Response:
        pause_s = FIRST_PAUSE_S
        while not self.ledger.given_up.is_set():
            try:
                answer = self.http.post(path, json=body)
                failure = None if answer.is_success else str(answer.status_code)
            except httpx.TransportError as error:
                answer, failure = None, type(error).__name__
            with self.ledger.lock:
                self.ledger.requests += 1
                if failure:
                    self.ledger.failures[failure] += 1
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                return answer
            time.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise GivenUp


class Crowd:
    """Several patient clients at work, each in a thread of its own, until the block ends."""

    def __init__(self, url: str, size: int) -> None:
        self.ledger = Ledger()
        self.clients = [PatientClient(url, self.ledger, seed=seed) for seed in range(size)]
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self) -> "Crowd":
        self._work = [self._pool.submit(client.work, self._stop) for client in self.clients]
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._stop.set()
        if kind is None:
            for work in self._work:
                work.result(PATIENCE_S)

    def end_all(self) -> None:
        list(self._pool.map(PatientClient.end, self.clients))

    def close(self) -> None:
        self._stop.set()
        self.ledger.given_up.set()
        self._pool.shutdown()
        for client in self.clients:
            client.close()

    @property
    def left_alone(self) -> Iterable[str]:
        return [session_id for client in self.clients for session_id in client.others]

    @property
    def session_ids(self) -> Iterable[str]:
        return [client.session_id for client in self.clients]
