"""A server of the benchmark's own: migrated, served by granian as `make run` does, and watched for memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from socket import create_connection, socket
from time import monotonic, sleep

import av

from proctoring_site.demo_clip import write_clip

START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    def forget_peak_memory(self) -> None:
        for pid in _children(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): sets the peak to what is resident now

    def peak_memory_kib(self) -> int:
        """The workers' peak resident memory, added up (VmHWM, Linux)."""
        return sum(_status(pid, "VmHWM") for pid in _children(self.pid))


def prepare(mongodb_url: str, folder: Path) -> str:
    """Migrate; the API token of a machine with every right."""
    environment = {**_environment(mongodb_url, folder), "DJANGO_SUPERUSER_PASSWORD": token_urlsafe(16)}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    manage("migrate", "--verbosity=0")
    manage("createsuperuser", "--noinput", "--username=bench", "--email=", "--verbosity=0")
    return manage("create_api_token", "bench", "--name=bench").strip()


@contextmanager
def serve(mongodb_url: str, folder: Path, **settings: str) -> Iterator[Server]:
    environment = {**_environment(mongodb_url, folder), **settings}
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "16"]
    with (folder / f"granian-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "proctoring_site.wsgi:application"], env=environment, stdout=log, stderr=log
        )
        try:
            _wait_for(port)
            yield Server(port=port, pid=process.pid)
        finally:
            process.terminate()
            process.wait(30)


def video_of(folder: Path, mib: int) -> Path:
    """A real, valid WebM of about this size: one encoded clip, its packets repeated with later instants."""
    clip, large = write_clip(folder / "clip.webm"), folder / "large.webm"
    with av.open(str(clip)) as source, av.open(str(large), "w") as target:
        template = source.streams.video[0]
        stream = target.add_stream_from_template(template)
        packets = [(bytes(p), p.pts, p.is_keyframe) for p in source.demux(template) if p.dts is not None]
        padding = bytes(256 * 1024)  # a decoder ignores what follows a frame's data
        length = packets[-1][1] + packets[1][1]
        for n in range(mib * 4):
            data, pts, is_keyframe = packets[n % len(packets)]
            packet = av.Packet(data + padding)
            packet.pts = packet.dts = pts + n // len(packets) * length
            packet.time_base, packet.stream, packet.is_keyframe = template.time_base, stream, is_keyframe
            target.mux(packet)
    return large


def _environment(mongodb_url: str, folder: Path) -> dict[str, str]:
    own = {"MONGODB_URL": mongodb_url, "DATA_DIR": str(folder / "data"), "SECRET_KEY": "bench", "LOG_LEVEL": "WARNING"}
    # All calls come from one address. A limit still costs its counting.
    own |= dict.fromkeys(("SESSION_CREATION_PER_MINUTE", "ANONYMOUS_PER_MINUTE"), "1000000000")
    kept = {name: value for name, value in os.environ.items() if name not in {"OPEN_API", "SESSION_CREATION"}}
    return {**kept, **own}


def _wait_for(port: int) -> None:
    deadline = monotonic() + START_TIMEOUT_S
    while monotonic() < deadline:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            sleep(0.1)
        else:
            return
    raise TimeoutError("the server did not start")


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
