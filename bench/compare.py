"""Turns of two sides, one after the other and then the other way round, so that they share the machine's noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.sides import BareDriver, Side, Slice
from bench.workloads import Workload

Taker = Side | BareDriver
RATIOS: tuple[tuple[str, Callable[[Slice], float]], ...] = (
    ("p50", lambda one: one.p50_ms),
    ("p99", lambda one: one.p99_ms),
    ("CPU", lambda one: one.cpu_ms),
    ("mongod's CPU", lambda one: one.mongod_ms),
    ("peak memory", lambda one: one.peak_mib),
)


@dataclass
class Comparison:
    workload: Workload
    ours: list[Slice] = field(default_factory=list)
    theirs: list[Slice] = field(default_factory=list)

    def take(self, ours: Taker, theirs: Taker, *, connections: int, seconds: float) -> None:
        """One more round; A B, then B A, then A B."""
        sides = [(self.ours, ours), (self.theirs, theirs)]
        turns = sides if len(self.ours) % 2 == 0 else sides[::-1]
        for slices, side in turns:
            slices.append(side.take(self.workload.requests, self.workload.connections or connections, seconds))

    def ratios(self, of: Callable[[Slice], float]) -> list[float]:
        """Ours to theirs, round by round."""
        rounds = zip(self.ours, self.theirs, strict=True)
        return [of(ours) / of(theirs) if of(theirs) else float("nan") for ours, theirs in rounds]

    @property
    def rate(self) -> float:
        return median(self.ratios(lambda one: one.rate))

    @property
    def is_below(self) -> bool:
        return self.workload.floor is not None and not self.rate >= self.workload.floor

    @property
    def errors(self) -> list[str]:
        return [error for one in (*self.ours, *self.theirs) for error in one.errors]

    def lines(self, names: Sequence[str]) -> list[str]:
        rates = self.ratios(lambda one: one.rate)
        rounds = " ".join(f"{rate:.2f}" for rate in rates)
        floor = "" if self.workload.floor is None else f"floor {self.workload.floor:g}"
        verdict = "  BELOW" if self.is_below else ""
        parts = [f"{self.workload.title:42}{self.rate:6.2f} x  ({rounds})  {floor}{verdict}"]
        shown = RATIOS if self.theirs[0].peak_mib else RATIOS[:2]  # the bare driver has no processes of a server
        ratios = [f"{title} {median(self.ratios(of)):.2f} x" for title, of in shown]
        parts.append(f"      {', '.join(ratios)}; errors {len(self.errors)}")
        for name, slices in zip(names, (self.ours, self.theirs), strict=True):
            parts.append("      " + told(name, self.workload.unit, slices))
        return parts


def told(name: str, unit: str, slices: Sequence[Slice]) -> str:
    def mid(of: Callable[[Slice], float]) -> float:
        return median(map(of, slices))

    text = f"{name:7}{mid(lambda one: one.rate):9,.0f} {unit}/s, p50 {mid(lambda one: one.p50_ms):,.1f} ms, "
    text += f"p99 {mid(lambda one: one.p99_ms):,.1f} ms"
    if slices[0].peak_mib:
        text += f", CPU {mid(lambda one: one.cpu_ms):.2f}"
    text += f" + mongod {mid(lambda one: one.mongod_ms):.2f} ms"
    if slices[0].peak_mib:
        text += f", peak {max(one.peak_mib for one in slices):,.0f} MiB"
        text += f", load {mid(lambda one: one.load_share):.0%} of a core"
    return f"{text}  [{slices[len(slices) // 2].machine}]"
