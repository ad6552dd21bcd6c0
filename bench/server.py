"""Servers of the benchmark's own: ours, migrated and served by granian as `make run` does, and the peer."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from socket import socket
from time import monotonic, sleep

import av

from proctoring_site.launch.child_process import end, start_tied
from proctoring_site.launch.demo_clip import write_clip

START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int


def prepare(mongodb_url: str, folder: Path, **settings: str) -> str:
    """Migrate; the API token of a machine with every right."""
    environment = {**environment_of(mongodb_url, folder), **settings, "DJANGO_SUPERUSER_PASSWORD": token_urlsafe(16)}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    manage("migrate", "--verbosity=0")
    manage("createsuperuser", "--noinput", "--username=bench", "--email=", "--verbosity=0")
    return manage("create_api_token", "bench", "--name=bench").strip()


@contextmanager
def serve(mongodb_url: str, folder: Path, **settings: str) -> Iterator[Server]:
    """Ours, with two workers of 64 threads, as `make run` starts them."""
    options = ["--interface", "wsgi", "--workers", "2", "--blocking-threads", "64", "--log-level", "error"]
    command = ["granian", *options, "proctoring_site.wsgi:application"]
    with _serve(command, {**environment_of(mongodb_url, folder), **settings}, folder) as server:
        yield server


@contextmanager
def serve_peer(mongodb_url: str, folder: Path, *, driver: str) -> Iterator[Server]:
    """The peer, with two workers and no log, on the database `peer` of the same mongod."""
    own = {"PEER_MONGODB_URL": mongodb_url, "PEER_DATA_DIR": str(folder / "peer"), "PEER_DRIVER": driver}
    environment = {**os.environ, **own}
    command = ["uvicorn", "--workers", "2", "--no-access-log", "--log-level", "warning", "bench.peer.app:app"]
    with _serve(command, environment, folder) as server:
        yield server


@contextmanager
def _serve(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[Server]:
    port = _free_port()
    log_file = folder / f"{command[0]}-{port}.log"
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)]
        process = start_tied(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(port, log_file)
            yield Server(port=port, pid=process.pid)
        finally:
            end(process, patience_s=30)


def new_sessions(server: Server, n: int) -> list[tuple[str, str]]:
    """Their ids, and the tokens of their candidates, where there are any."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    made = []
    for _ in range(n):
        body = json.dumps({"candidate_name": "Bench"})
        connection.request("POST", "/sessions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 201:
            raise RuntimeError(f"POST /sessions answered {answer.status}")
        session = json.load(answer)
        made.append((session["id"], session.get("token", "")))
    return made


def video_of(folder: Path, mib: int) -> Path:
    """A real, valid WebM of about this size: one encoded clip, its packets repeated with later instants."""
    clip, large = write_clip(folder / "clip.webm"), folder / f"{mib}.webm"
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


def environment_of(mongodb_url: str, folder: Path) -> dict[str, str]:
    own = {"MONGODB_URL": mongodb_url, "DATA_DIR": str(folder / "data"), "SECRET_KEY": "bench", "LOG_LEVEL": "WARNING"}
    # All calls come from one address. A limit still costs its counting.
    own |= dict.fromkeys(("SESSION_CREATION_PER_MINUTE", "ANONYMOUS_PER_MINUTE"), "1000000000")
    kept = {name: value for name, value in os.environ.items() if name not in {"OPEN_API", "SESSION_CREATION"}}
    return {**kept, **own}


def _wait_for(port: int, log_file: Path) -> None:
    """Until it answers: workers that have not bound yet would leave their share to those that have."""
    deadline = monotonic() + START_TIMEOUT_S
    while monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/sessions")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            sleep(0.1)
        else:
            sleep(1)
            return
    raise TimeoutError(f"The server did not start: {log_file.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
