"""Child processes that end when we end, even by kill -9, and what an earlier start left behind all the same."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

#: Runs as a program of its own before the real one: nothing of Python is safe between fork and exec once threads exist.
#: The kernel then sends SIGTERM when the *thread* that started the child ends, so children are started by the main one.
#: Python ignores SIGPIPE and SIGXFSZ; an ignored signal would stay ignored in the real program.
TIE_TO_PARENT = """
import ctypes, os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent ended before its child began")
os.execv(sys.argv[2], sys.argv[2:])
"""

POLL_S = 0.1


class LaunchError(Exception):
    """What stops the start, as one line for the person at the terminal: what is wrong and what to do."""


def unwritable(folder: Path, error: OSError) -> LaunchError:
    return LaunchError(
        f"The data folder {folder} cannot be written ({error.strerror}): change its owner, or set DATA_DIR to another."
    )


class Held(Exception):
    """Another live process holds this lock."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


def hold(path: Path) -> IO[str]:
    """A lock that the kernel drops with this process, however it ends; our children do not inherit it."""
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise Held(holder or "unknown") from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def start_tied(
    command: Sequence[str],
    *,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start the program (an absolute path first) in its own session, so that a Ctrl-C reaches it only through us."""
    tie = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid())]
    return subprocess.Popen(  # noqa: S603 - no shell, our own arguments
        [*tie, *command], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, start_new_session=True
    )


def end(process: subprocess.Popen[bytes], *, patience_s: float) -> None:
    """Ask it to end, wait, and end its whole process group by force when it does not, or leaves workers behind."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    end_group(process.pid)
    process.wait()


def end_group(group: int) -> None:
    """Whatever still lives in this process group ends at once. A group that is gone is what we want."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(group, signal.SIGKILL)


def processes_with(argument: str) -> list[int]:
    """The ids of other processes that have exactly this argument on their command line."""
    return [pid for pid, arguments in _command_lines() if argument in arguments and pid != os.getpid()]


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    if not Path("/proc/self/cmdline").exists():
        yield from _command_lines_from_ps()
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), os.fsdecode((folder / "cmdline").read_bytes()).split("\0")
            except OSError:  # it ended meanwhile
                continue


def _command_lines_from_ps() -> Iterator[tuple[int, list[str]]]:
    """macOS has no /proc. An argument with spaces is not found this way; such an orphan has to be ended by hand."""
    ps = ["ps", "-axww", "-o", "pid=,command="]
    listing = subprocess.run(ps, capture_output=True, text=True, check=False)  # noqa: S603
    for line in listing.stdout.splitlines():
        pid, *arguments = line.split()
        yield int(pid), arguments


def end_left_behind(
    argument: str,
    *,
    patience_s: float,
    pause: Callable[[float], None] = time.sleep,
    how: signal.Signals = signal.SIGTERM,
) -> bool:
    """End what an earlier, killed start left running; `argument` is one that only our own children carry.

    They were told to end when their parent died and are most likely about to. False if some outlive the patience.
    """
    deadline = time.monotonic() + patience_s
    told: set[int] = set()
    while left := processes_with(argument):
        if time.monotonic() > deadline:
            return False
        for pid in set(left) - told:
            told.add(pid)
            _signal(pid, how)
        pause(POLL_S)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    status = process.poll()
    if status is None:
        return "still running"
    return f"killed by signal {-status}" if status < 0 else f"status {status}"


def missing_libraries(binary: Path) -> list[str]:
    """The shared libraries that this machine does not have; empty when all are there or nobody can tell."""
    if shutil.which("ldd") is None:
        return []
    listing = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return [line.split()[0] for line in listing.stdout.splitlines() if line.endswith("not found")]


class RestartBudget:
    """How often something may come back before we say that it will not."""

    def __init__(self, what: str, *, limit: int = 5, window_s: float = 60) -> None:
        self.what, self.limit, self.window_s = what, limit, window_s
        self._spent: list[float] = []

    def spend(self, *, why: str) -> None:
        now = time.monotonic()
        self._spent = [at for at in self._spent if now - at < self.window_s] + [now]
        if len(self._spent) > self.limit:
            raise LaunchError(
                f"{self.what} ended {len(self._spent)} times within {self.window_s:.0f} s ({why}); giving up."
            )
