"""What processes and the machine spend, by proc(5): processor time, peak memory, idle and stolen time. Linux only."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
IDLE, IOWAIT, STEAL, GUEST = 3, 4, 7, 8


def family(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
        for task in tasks:
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """Of the family, since its start."""
    return sum(sum(map(int, _stat(member)[11:13])) for member in family(pid)) / TICKS_PER_S


def forget_peak_memory(pid: int) -> None:
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")  # sets the peak to what is resident now


def peak_memory_mib(pid: int) -> float:
    """The family's peaks of resident memory, added up (VmHWM)."""
    return sum(_status_kib(member, "VmHWM") for member in family(pid)) / 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """The processors' time until now, all together."""

    total: int
    idle: int
    stolen: int

    @classmethod
    def now(cls) -> Self:
        ticks = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return cls(total=sum(ticks[:GUEST]), idle=ticks[IDLE] + ticks[IOWAIT], stolen=ticks[STEAL])

    def since(self, before: Self) -> str:
        total = max(1, self.total - before.total)
        idle, stolen = (self.idle - before.idle) / total, (self.stolen - before.stolen) / total
        return f"stolen {stolen:.0%}, idle {idle:.0%}"


def _stat(pid: int) -> list[str]:
    """From the third field on; the second, a name, may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
