"""How quickly a reviewer sees a moment of a long recording: `make bench-playback ARGS="--mib 1024 --minutes 60"`.

Makes a recording as a browser does, without duration and index, has the product take it, and seeks in it with the
system's Chromium over loopback: in the file as it came, and in the one that the product made of it to be watched.
"""

import argparse
import http.client
import io
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import av
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError
from pymongo import MongoClient

from bench.server import Server, new_sessions, prepare, serve
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.mongo_engine.mongodb_url import with_options

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT, FRAMES_PER_S, LOOP_S, KEY_FRAME_EVERY = 640, 480, 15, 10, 75
#: Levels of grey between which a dark room's camera wavers.
GRAIN = 16
MILLISECOND = Fraction(1, 1000)
#: Before, a player may look for ever.
PATIENCE_MS = 60_000
#: Shares of the recording; two thirds of an hour are minute 40.
SOUGHT = (2 / 3, 0.2, 0.9, 0.05, 0.5)

OPEN = """async (url) => {
    const video = Object.assign(document.createElement("video"), { muted: true, preload: "metadata", src: url });
    document.body.replaceChildren(video);
    const began = performance.now();
    await new Promise((resolve, reject) => {
        video.onloadeddata = resolve;
        video.onerror = () => reject(new Error(video.error.message));
    });
    const { duration, seekable } = video;
    const end = seekable.length ? seekable.end(seekable.length - 1) : 0;
    return { ms: performance.now() - began, duration: String(duration), seekable: String(end) };
}"""
#: Until the picture is there to be drawn. `at`: where the player really is.
SEEK = """async ([seconds, patience]) => {
    const video = document.querySelector("video");
    const began = performance.now();
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no picture")), patience));
    const seeked = new Promise((resolve) => (video.onseeked = resolve));
    video.currentTime = seconds;
    await Promise.race([seeked, late]);
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
    const brush = canvas.getContext("2d");
    brush.drawImage(video, 0, 0, 64, 48);
    const ms = performance.now() - began;
    return { ms, at: video.currentTime, colours: new Set(brush.getImageData(0, 0, 64, 48).data).size };
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a player knows of a file, and how long it took to each moment; None: no picture came."""

    duration: str
    seekable: str
    opened_ms: float
    sought_ms: tuple[float | None, ...]


class Stream(io.RawIOBase):
    """What a recorder writes to: nobody goes back in it to note how long it was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        return self._file.write(data)


def recording_of(path: Path, *, mib: int, minutes: int) -> Path:
    """Some seconds of moving noise, coded once and written over and over with later instants."""
    packets = coded(bits_per_s=mib * 1024**2 * 8 // (minutes * 60))
    with path.open("wb") as file, av.open(Stream(file), "w", format="webm", container_options={"live": "1"}) as out:
        stream = new_stream(out)
        for number in range(minutes * 60 * FRAMES_PER_S):
            data, is_key_frame = packets[number % len(packets)]
            packet = av.Packet(data)
            packet.pts = packet.dts = number * 1000 // FRAMES_PER_S
            packet.time_base, packet.stream, packet.is_keyframe = MILLISECOND, stream, is_key_frame
            out.mux(packet)
    return path


def coded(*, bits_per_s: int) -> list[tuple[bytes, bool]]:
    with av.open(io.BytesIO(), "w", format="webm") as container:
        stream = new_stream(container)
        stream.bit_rate = bits_per_s
        frames = [stream.encode(frame) for frame in noise(LOOP_S * FRAMES_PER_S)]
        packets = [packet for some in [*frames, stream.encode(None)] for packet in some]
        return [(bytes(packet), packet.is_keyframe) for packet in packets]


def new_stream(container: av.container.OutputContainer) -> av.VideoStream:
    options = {"deadline": "realtime", "cpu-used": "8", "g": str(KEY_FRAME_EVERY), "qmin": "2", "qmax": "63"}
    stream = container.add_stream("libvpx", rate=FRAMES_PER_S, options=options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    return stream


def noise(count: int) -> Iterator[av.VideoFrame]:
    random = Random(1)
    grain = random.randbytes(WIDTH * HEIGHT * 2).translate(bytes(96 + value % GRAIN for value in range(256)))
    for number in range(count):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for plane, level in zip(frame.planes, (None, 100 + number % 60, 160 - number % 60), strict=True):
            start = random.randrange(WIDTH * HEIGHT)
            size = plane.buffer_size
            plane.update(grain[start : start + size] if level is None else bytes([level]) * size)
        yield frame


class Product:
    """The served product, as a machine with every right speaks to it."""

    def __init__(self, server: Server, token: str) -> None:
        self.url, self._server = f"http://127.0.0.1:{server.port}", server
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, **body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port)
        connection.request(method, path, json.dumps(body) if body else None, self._headers)
        answer = connection.getresponse()
        said = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {said}")
        return said

    def take(self, session_id: str, file: Path) -> float:
        """Have it import the file and make it seekable; the seconds that took."""
        began = time.monotonic()
        self.ask("POST", f"/sessions/{session_id}/video/import", filename=file.name)
        while (state := self.ask("GET", f"/sessions/{session_id}/recordings")[0]["state"]) != "ready":
            if state == "rejected":
                raise RuntimeError("The product rejected the recording.")
            time.sleep(0.2)
        return time.monotonic() - began

    def link(self, session_id: str) -> str:
        return self.ask("POST", f"/sessions/{session_id}/video/link")["url"]


def watch(browser: Browser, product: Product, session_id: str, moments_s: Sequence[float]) -> Seen:
    """Each moment in a page of its own, so that nothing of it is there already."""
    told: dict[str, Any] = {}
    sought = []
    for moment_s in moments_s:
        page = browser.new_context().new_page()
        page.goto(f"{product.url}/")
        told = page.evaluate(OPEN, product.link(session_id))
        sought.append(seek(page, moment_s))
        page.context.close()
    return Seen(told["duration"], told["seekable"], told["ms"], tuple(sought))


def seek(page: Page, moment_s: float) -> float | None:
    try:
        seen = page.evaluate(SEEK, [moment_s, PATIENCE_MS])
    except BrowserError:
        return None
    return seen["ms"] if abs(seen["at"] - moment_s) < 1 and seen["colours"] > 1 else None


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        sys.exit(f"No browser on PATH: one of {', '.join(BROWSERS)}.")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--disable-gpu", *as_root])
        yield browser
        browser.close()


def told(seen: Seen) -> str:
    came = [ms for ms in seen.sought_ms if ms is not None]
    pictures = f"{statistics.median(came):,.0f} ms (most {max(came):,.0f})" if came else "none"
    missing = f", {len(seen.sought_ms) - len(came)} of {len(seen.sought_ms)} never" if None in seen.sought_ms else ""
    return (
        f"duration {seen.duration}, seekable to {seen.seekable}, "
        f"first picture {seen.opened_ms:,.0f} ms, sought picture {pictures}{missing}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.playback", description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="of the recording")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3, help=f"through {len(SOUGHT)} moments")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running or lying about
    length_s = options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedMongod(Path(name) / "mongodb") as mongod:
        folder, url = Path(name), with_options(mongod.url)
        film = recording_of(folder / "film.webm", mib=options.mib, minutes=options.minutes)
        print(f"A recording of {film.stat().st_size / 1024**2:,.0f} MiB and {options.minutes} minutes.", flush=True)
        token = prepare(url, folder)
        environment = {"VIDEO_IMPORT_DIR": str(folder), "LINK_MAX_AGE_S": "86400"}
        with serve(url, folder, **environment) as server, chromium() as browser:
            product = Product(server, token)
            (before, _), (after, _) = new_sessions(server, 2)
            print(f"Taken and made seekable in {product.take(after, film):.1f} s.", flush=True)
            lay_as_it_came(MongoClient(url)["proctoring"], folder, film, before)
            moments = [share * length_s for share in SOUGHT] * options.rounds
            print(f"Looked for at minutes {', '.join(f'{share * options.minutes:g}' for share in SOUGHT)}.")
            print(f"Before, at 80 %: {told(watch(browser, product, before, [0.8 * length_s]))}", flush=True)
            print(f"After, at 80 %:  {told(watch(browser, product, after, [0.8 * length_s] * options.rounds))}")
            print(f"After, elsewhere: {told(watch(browser, product, after, moments))}")


def lay_as_it_came(database: Any, folder: Path, film: Path, session_id: str) -> None:
    """Where the earlier service would have left it: served by ranges, and otherwise as the browser wrote it."""
    shutil.copyfile(film, folder / "data" / "videos" / f"{session_id}.webm")
    database["sessions"].update_one({"_id": session_id}, {"$set": {"video_path": f"videos/{session_id}.webm"}})


if __name__ == "__main__":
    main()
