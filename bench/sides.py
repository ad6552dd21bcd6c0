"""What is compared: a side is somebody who does a workload for some seconds and answers with what that took."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from bench import bare, load, watch
from bench.server import Server


@dataclass(frozen=True, slots=True)
class Slice:
    """One turn of one side. Rates in units a second, as the workload counts; times per request, CPU in ms."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    mongod_ms: float
    peak_mib: float
    load_share: float
    machine: str
    answered: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What a side is asked for: whole requests, or heads of uploads of `file`. `before` is not measured."""

    requests: list[bytes]
    units: float = 1
    file: str = ""
    tail: bytes = b""
    times: int = 1
    before: Callable[[], None] | None = None


@dataclass
class Side:
    """A server and what it is asked for, by the workload's name. `acknowledged`: good answers so far, the same."""

    name: str
    server: Server
    mongod_pid: int
    works: Mapping[str, Work]
    acknowledged: dict[str, int] = field(default_factory=dict)

    def take(self, workload: str, connections: int, seconds: float) -> Slice:
        work = self.works[workload]
        if work.before:
            work.before()
        watch.forget_peak_memory(self.server.pid)
        cpu, mongod, machine = watch.cpu_s(self.server.pid), watch.cpu_s(self.mongod_pid), watch.Machine.now()
        done = load.put_on(
            load.Job(self.server.port, connections, seconds, work.requests, work.file, work.tail, work.times)
        )
        cpu, mongod = watch.cpu_s(self.server.pid) - cpu, watch.cpu_s(self.mongod_pid) - mongod
        self.acknowledged[workload] = self.acknowledged.get(workload, 0) + done.answered
        return _slice(
            done.latencies_s,
            rate=len(done.latencies_s) * work.units / done.elapsed_s,
            cpu_ms=cpu * 1000 / max(1, done.answered),
            mongod_ms=mongod * 1000 / max(1, done.answered),
            peak_mib=watch.peak_memory_mib(self.server.pid),
            load_share=done.cpu_s / done.elapsed_s,
            machine=watch.Machine.now().since(machine),
            answered=done.answered,
            errors=tuple(done.errors),
        )


@dataclass
class BareDriver:
    """Takes turns as a side does, with calls of the driver in place of requests."""

    mongodb_url: str
    mongod_pid: int
    sizes: Mapping[str, int]
    sessions: tuple[str, ...]
    name: str = "driver"

    def take(self, workload: str, connections: int, seconds: float) -> Slice:
        size = self.sizes[workload]
        sessions = self.sessions if workload == FIND else ()
        mongod, machine = watch.cpu_s(self.mongod_pid), watch.Machine.now()
        latencies = bare.put_on(bare.Limit(self.mongodb_url, seconds, size, sessions))
        mongod = watch.cpu_s(self.mongod_pid) - mongod
        return _slice(
            latencies,
            rate=len(latencies) * size / seconds,
            cpu_ms=0.0,
            mongod_ms=mongod * 1000 / max(1, len(latencies)),
            peak_mib=0.0,
            load_share=0.0,
            machine=watch.Machine.now().since(machine),
            answered=len(latencies),
            errors=(),
        )


FIND = "find_200"


def _slice(latencies_s: list[float], **rest: object) -> Slice:
    ordered = sorted(latencies_s) or [0.0]
    p50, p99 = median(ordered) * 1000, ordered[int(len(ordered) * 0.99)] * 1000
    return Slice(p50_ms=p50, p99_ms=p99, **rest)
