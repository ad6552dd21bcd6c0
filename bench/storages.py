"""A large video up and down on each storage, and from one to the next: `make bench-storages ARGS="--mib 1024"`.

In one run: a plain copy of the file, the earlier service's way (bench/peer), and ours on the local disk, on Deta Drive
(the emulator of tests/, over TLS) and on S3 (rclone). The storages' servers take their share of the same processors, so
a rate says how much our way costs, not how quick a storage is. What is certain is the memory.
"""

import argparse
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.database import Database

from bench import watch
from bench.server import Server, new_sessions, prepare, serve, serve_peer, video_of
from bench.sides import Side
from bench.workloads import upload_of
from proctoring_site.launch.child_process import end, start_tied
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.mongo_engine.mongodb_url import with_options
from tests import deta_drive, rclone_server
from tests.s3_server import BUCKET
from tests.servers import free_port, until

STORAGES = ("local", "deta", "s3")
WARM_UP_MIB = 24
PART_BYTES = 5_242_880
READ_BYTES = 1024**2
TUS = {"Tus-Resumable": "1.0.0"}
PATIENCE_S = 1800


@dataclass(frozen=True, slots=True)
class Turn:
    """How quick, and how much memory above rest the server's processes took at most."""

    mib_per_s: float
    above_rest_mib: float | None = None

    def told(self, to_copy: "Turn", to_peer: "Turn | None") -> str:
        peer = f"{self.mib_per_s / to_peer.mib_per_s:.2f}" if to_peer else "–"
        memory = "–" if self.above_rest_mib is None else f"+{self.above_rest_mib:.0f}"
        return f"{self.mib_per_s:,.0f} | {self.mib_per_s / to_copy.mib_per_s:.2f} | {peer} | {memory}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.storages", description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the video")
    parser.add_argument("--only", default=",".join(STORAGES), help="of local,deta,s3")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running or lying about
    began, machine = time.monotonic(), watch.Machine.now()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedMongod(Path(name) / "mongodb") as mongod:
        run(options.only.split(","), options.mib, with_options(mongod.url), mongod.pid, Path(name))
    print(f"\nThe whole run: {time.monotonic() - began:,.0f} s, {watch.Machine.now().since(machine)}")


def run(chosen: list[str], mib: int, url: str, mongod_pid: int, folder: Path) -> None:
    video = video_of(folder, mib)
    copied, read = plain_copy(video, folder / "copy")
    print(f"A video of {video.stat().st_size / 2**20:,.0f} MiB, {os.cpu_count()} cores\n")
    print("| | MiB/s | to a file copy | to the peer | memory above rest, MiB |\n|---|---|---|---|---|", flush=True)
    with ExitStack() as stack:
        peer_server = stack.enter_context(serve_peer(url, folder, driver="motor"))
        peer = in_one_request(Side("peer", peer_server, mongod_pid, {}), video, mib)
        stack.pop_all().close()
        show("the earlier service: up in one request", peer, copied)
        where = stack.enter_context(storage_servers(folder))
        token = prepare(url, folder, **where)
        for backend in chosen:
            with serve(url, folder, **where, STORAGE_BACKEND=backend) as server:
                side = Side(backend, server, mongod_pid, {})
                warm_up(side, video_of(folder, WARM_UP_MIB), token, url)
                show(f"{backend}: up in one request", in_one_request(side, video, mib), copied, peer)
                until_looked_at(url)
                name, sent = in_parts(server, video)
                show(f"{backend}: up in parts of 5 MiB", sent, copied, peer)
                show(
                    f"{backend}: checked and made seekable", measured(server, mib, lambda: until_looked_at(url)), copied
                )
                show(f"{backend}: down", down(server, f"/videos/{name}", token, mib), read)
            forget(url, backend, but=name if backend == chosen[0] else "")
        for source, target in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
            if source != target:
                show(f"migrate_storage, {source} to {target}", migrated(url, folder, where, source, target), copied)


def warm_up(side: Side, video: Path, token: str, url: str) -> None:
    """Rest is when everything was imported and every connection stands."""
    in_one_request(side, video, WARM_UP_MIB)
    name, _ = in_parts(side.server, video)
    until_looked_at(url)
    down(side.server, f"/videos/{name}", token, WARM_UP_MIB)


def forget(url: str, backend: str, *, but: str) -> None:
    """The recordings that lie there; the one that migrates stays."""
    MongoClient(url)["proctoring"]["recordings"].delete_many({"stored_on": backend, "name": {"$ne": but}})


def show(what: str, turn: Turn, copied: Turn, peer: Turn | None = None) -> None:
    print(f"| {what} | {turn.told(copied, peer)} |", flush=True)


def plain_copy(video: Path, target: Path) -> tuple[Turn, Turn]:
    """Written to the disk for good, as an upload is; and read."""
    mib = video.stat().st_size / 2**20
    began = time.perf_counter()
    shutil.copyfile(video, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    copied = Turn(mib / (time.perf_counter() - began))
    began = time.perf_counter()
    with target.open("rb") as file:
        while file.read(READ_BYTES):
            pass
    read = Turn(mib / (time.perf_counter() - began))
    target.unlink()
    print(f"A plain copy of the file: {copied.mib_per_s:,.0f} MiB/s; reading it: {read.mib_per_s:,.0f} MiB/s")
    return copied, read


def measured(server: Server, mib: float, work: Callable[[], object]) -> Turn:
    watch.forget_peak_memory(server.pid)
    before, began = watch.peak_memory_mib(server.pid), time.perf_counter()
    work()
    elapsed_s = time.perf_counter() - began
    return Turn(mib / elapsed_s, watch.peak_memory_mib(server.pid) - before)


def in_one_request(side: Side, video: Path, mib: int) -> Turn:
    """As the earlier front end sends it; the same client for both sides."""
    side.works = {"large": upload_of(video, new_sessions(side.server, 1))}
    watch.forget_peak_memory(side.server.pid)
    before = watch.peak_memory_mib(side.server.pid)
    taken = side.take("large", 1, 0)
    if taken.errors:
        sys.exit(f"{side.name}: {taken.errors}")
    return Turn(taken.rate, taken.peak_mib - before)


def in_parts(server: Server, video: Path) -> tuple[str, Turn]:
    """By tus. The name at which it is watched, and the turn."""
    ((session, token),) = new_sessions(server, 1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    bearer = {"Authorization": f"Bearer {token}", **TUS}

    def ask(method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        connection.request(method, path, body, {**bearer, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (201, 204):
            sys.exit(f"{method} answered {answer.status}")
        return answer

    def send() -> None:
        size = video.stat().st_size
        place = urlsplit(ask("POST", f"/sessions/{session}/uploads", Upload_Length=str(size)).headers["Location"]).path
        with video.open("rb") as file:
            while data := file.read(PART_BYTES):
                at = str(file.tell() - len(data))
                ask("PATCH", place, data, Upload_Offset=at, Content_Type="application/offset+octet-stream")

    turn = measured(server, video.stat().st_size / 2**20, send)
    return f"{session}.webm", turn


def until_looked_at(url: str) -> None:
    recordings = MongoClient(url)["proctoring"]["recordings"]
    until(lambda: not recordings.count_documents({"state": "processing"}), patience_s=PATIENCE_S)
    if recordings.count_documents({"state": {"$ne": "ready"}}):
        sys.exit("A recording was not made ready.")


def down(server: Server, path: str, token: str, mib: int) -> Turn:
    def fetch() -> None:
        headers, place = {"Authorization": f"Bearer {token}"}, urlsplit(f"http://127.0.0.1:{server.port}{path}")
        for _ in range(2):  # S3's file comes from where it lies
            connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE_S)
            connection.request("GET", f"{place.path}?{place.query}" if place.query else place.path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 302:
                break
            place, headers = urlsplit(answer.headers["Location"]), {}
        got = 0
        while data := answer.read(READ_BYTES):
            got += len(data)
        if answer.status != 200 or got < mib * 2**20:
            sys.exit(f"GET {path} answered {answer.status} with {got} bytes")

    return measured(server, mib, fetch)


def migrated(url: str, folder: Path, where: dict[str, str], source: str, target: str) -> Turn:
    """Of all that lies on the source: copied, read back and compared."""
    database: Database = MongoClient(url)["proctoring"]
    moved = database["recordings"].find({"stored_on": source})
    mib = sum(recording["watchable_bytes"] or recording["size_bytes"] for recording in moved) / 2**20
    environment = {**os.environ, **where, "MONGODB_URL": url, "DATA_DIR": str(folder / "data"), "SECRET_KEY": "bench"}
    command = [sys.executable, "manage.py", "migrate_storage", "--from", source, "--to", target, "--delete-source"]
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return Turn(mib / (time.perf_counter() - began))


@contextmanager
def storage_servers(folder: Path) -> Iterator[dict[str, str]]:
    """The emulator of Deta Drive and an rclone; how ours are told where they are."""
    places = [folder / "deta", folder / "s3"]
    (places[1] / BUCKET).mkdir(parents=True)
    places[0].mkdir()
    port = free_port()
    emulator = start_tied([sys.executable, "-m", "tests.deta_drive", str(places[0])])
    rclone = rclone_server.start(places[1], "--etag-hash", "", port=port)  # else it hashes the whole for each range
    try:
        until(lambda: (places[0] / "host").exists())
        yield {
            "DETA_PROJECT_KEY": deta_drive.KEY,
            "DETA_DRIVE_HOST": (places[0] / "host").read_text(),
            "SSL_CERT_FILE": str(places[0] / "authority.pem"),
            "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_STORAGE_BUCKET_NAME": BUCKET,
            "AWS_ACCESS_KEY_ID": rclone_server.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": rclone_server.SECRET_KEY,
            "AWS_S3_REGION_NAME": "us-east-1",
        }
    finally:
        end(emulator, patience_s=5)
        end(rclone, patience_s=5)


if __name__ == "__main__":
    main()
