"""The load: a process of its own that drives keep-alive connections with requests made beforehand.

It takes a pickled Job on stdin and answers with a pickled Load on stdout. One thread over raw
sockets: it costs some 30 µs a request, a twentieth of what the quickest server here does, and it says what it cost.
"""

import pickle
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from threading import Thread

CHUNK = 256 * 1024
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` go round all connections; each is a whole one, or the head of one that `file` and `tail` complete."""

    port: int
    connections: int
    seconds: float
    requests: list[bytes]
    file: str = ""
    tail: bytes = b""
    times: int = 1  # uploads of each connection; `seconds` counts for the others


@dataclass(slots=True)
class Load:
    """`latencies_s`: of the answers within the measured time, `elapsed_s`. `answered`: all good ones, the first too."""

    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    answered: int = 0
    latencies_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def put_on(job: Job) -> Load:
    """The job in a process of its own."""
    command = [sys.executable, "-c", "from bench import load; load.main()"]
    done = subprocess.run(command, input=pickle.dumps(job), stdout=subprocess.PIPE, check=True)
    return pickle.loads(done.stdout)


def main() -> None:
    job = pickle.load(sys.stdin.buffer)
    pickle.dump(upload(job) if job.file else run(job), sys.stdout.buffer)


class _Connection:
    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests, self._received, self._expected = requests, bytearray(), -1
        self.is_warm = False

    def send(self) -> None:
        self._received, self._expected = bytearray(), -1
        self.began = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def receive(self) -> bytes | None:
        """The answer's first line when all of it is there."""
        part = self.socket.recv(CHUNK)
        if not part:
            raise ConnectionError("closed before the answer was whole")
        self._received += part
        if self._expected < 0:
            self._expected = _length(self._received)
        whole = 0 <= self._expected <= len(self._received)
        return bytes(self._received[: self._received.index(b"\r\n")]) if whole else None


def run(job: Job) -> Load:
    """Closed loops; measured from when every connection has its first answer until each has its last."""
    load, requests = Load(), cycle(job.requests)
    connections = [_Connection(job.port, requests) for _ in range(job.connections)]
    cold, measured_from, until = len(connections), None, float("inf")
    cpu_before, began_at = time.process_time(), time.perf_counter()
    with selectors.DefaultSelector() as ready:
        for connection in connections:
            connection.send()
            ready.register(connection.socket, selectors.EVENT_READ, connection)
        while ready.get_map():
            for key, _ in ready.select(TIMEOUT_S):
                connection = key.data
                first_line = connection.receive()
                if first_line is None:
                    continue
                now = time.perf_counter()
                if _is_good(first_line):
                    load.answered += 1
                    if measured_from is not None:
                        load.latencies_s.append(now - connection.began)
                else:
                    load.errors.append(first_line.decode(errors="replace"))
                if not connection.is_warm:
                    connection.is_warm = True
                    cold -= 1
                    if not cold:
                        measured_from, until = now, now + job.seconds
                if now < until:
                    connection.send()
                else:
                    ready.unregister(connection.socket)
                    connection.socket.close()
    ended_at = time.perf_counter()
    load.elapsed_s = ended_at - measured_from
    load.cpu_s = (time.process_time() - cpu_before) * load.elapsed_s / (ended_at - began_at)
    return load


def upload(job: Job) -> Load:
    """A file from each connection, some times in a row; measured from the first byte to the last answer."""
    load, requests = Load(), cycle(job.requests)
    cpu_before, began = time.process_time(), time.perf_counter()
    threads = [Thread(target=_upload, args=(job, next(requests), load)) for _ in range(job.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.elapsed_s, load.cpu_s = time.perf_counter() - began, time.process_time() - cpu_before
    return load


def _upload(job: Job, head: bytes, load: Load) -> None:
    connection = _Connection(job.port, iter([head] * job.times))
    for _ in range(job.times):
        connection.send()
        with open(job.file, "rb") as file:
            connection.socket.sendfile(file)
        connection.socket.sendall(job.tail)
        while (first_line := connection.receive()) is None:
            pass
        if not _is_good(first_line):
            load.errors.append(first_line.decode(errors="replace"))
            break
        load.answered += 1
        load.latencies_s.append(time.perf_counter() - connection.began)
    connection.socket.close()


def _length(received: bytearray) -> int:
    """Of head and body together; -1 while the head is not whole."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    head = bytes(received[:end]).lower()
    _, named, rest = head.partition(b"\r\ncontent-length:")
    if not named:
        raise ValueError(f"no length: {head!r}")
    return end + 4 + int(rest.partition(b"\r\n")[0])


def _is_good(first_line: bytes) -> bool:
    return first_line[9:12] in {b"200", b"201"}
