"""The workloads, the floor below which each must not fall, and the requests that each side is sent for them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.sides import Work

HOST = b"Host: 127.0.0.1\r\n"
BOUNDARY = "bench-7b0c1d"
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
EVENT = {"event_type": "focus_lost", "message": "window lost focus"}


@dataclass(frozen=True, slots=True)
class Workload:
    """`floor`: the least ratio of our rate to the other's. `connections`: None for as many as the caller wants."""

    name: str
    title: str
    floor: float | None
    unit: str = "requests"
    work: str = ""  # another workload's requests
    connections: int | None = None
    against: str = "peer"

    @property
    def requests(self) -> str:
        return self.work or self.name


WORKLOADS = (
    Workload("event", "POST an event", 1.6),
    Workload("event_1", "POST an event, 1 connection", 1.0, work="event", connections=1),
    Workload("event_4", "POST an event, 4 connections", 1.0, work="event", connections=4),
    Workload("batch_50", "POST a batch of 50", 1.6, unit="events"),
    Workload("batch_500", "POST a batch of 500 : insert_many", 0.4, unit="events", connections=8, against="driver"),
    Workload("session", "GET a session of 200 events, cold", 1.6),
    Workload("session_again", "the same, unchanged", None),
    Workload("report_200", "GET the report of 200 events", 2.0),
    Workload("report_changed", "the same, changed since", None),
    Workload("report_5000", "GET the report of 5,000 events", 10.0),
    Workload("list", "GET the list, 100 of many", 2.0),
    Workload("list_1000", "GET the list, 1,000 at once", 2.0),
    Workload("create", "POST a session", 1.0),
    Workload("create_machine", "the same, by a machine", None),
    Workload("upload", "POST a video of 50 MiB, twice at once", 1.2, unit="MiB", connections=2),
    Workload("token", "POST an event : the same with OPEN_API=1", None, work="event", against="open"),
)
LIMITS = {"insert_one": 1, "insert_many_50": 50, "insert_many_500": 500, "find_200": 1}
UPLOAD_MIB, UPLOADS_IN_A_ROW = 50, 2


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids of sessions that are there: to write to, each with the token to send, and to read."""

    writable: Sequence[tuple[str, str]]
    cold: Sequence[str] = ()
    of_200: Sequence[str] = ()
    of_5000: Sequence[str] = ()


def works(filled: Filled, *, machine: str = "", make_cold: Callable[[], None], video: Path | None = None) -> dict:
    """By the workload's name. `machine`: the API token to read with; none for a side without login."""

    def posts(path: str, body: object) -> list[bytes]:
        return [post(path.format(pk), body, token) for pk, token in filled.writable]

    def gets(path: str, ids: Sequence[str]) -> list[bytes]:
        return [request("GET", path.format(pk), token=machine) for pk in ids]

    new = {"candidate_name": "Ada Example"}
    made = {
        "event": Work(posts("/sessions/{}/events", EVENT)),
        "batch_50": Work(posts("/sessions/{}/events/batch", {"events": [EVENT] * 50}), units=50),
        "batch_500": Work(posts("/sessions/{}/events/batch", {"events": [EVENT] * 500}), units=500),
        "session": Work(gets("/sessions/{}", filled.cold), before=make_cold),
        "session_again": Work(gets("/sessions/{}", filled.of_200)),
        "report_200": Work(gets("/sessions/{}/report", filled.of_200)),
        "report_changed": Work(gets("/sessions/{}/report", filled.cold), before=make_cold),
        "report_5000": Work(gets("/sessions/{}/report", filled.of_5000)),
        "list": Work([request("GET", "/sessions", token=machine)]),
        "list_1000": Work([request("GET", "/sessions?limit=1000", token=machine)]),
        "create": Work([post("/sessions", new)]),
        "create_machine": Work([post("/sessions", new, machine)]),
    }
    if video:
        made["upload"] = upload_of(video, filled.writable, times=UPLOADS_IN_A_ROW)
    return made


def upload_of(video: Path, sessions: Sequence[tuple[str, str]], *, times: int = 1) -> Work:
    disposition = f'Content-Disposition: form-data; name="file"; filename="{video.name}"\r\nContent-Type: video/webm'
    before = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode()
    size = video.stat().st_size
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    heads = [
        request("POST", f"/sessions/{pk}/video", before, token, kind=kind, length=len(before) + size + len(TAIL))
        for pk, token in sessions
    ]
    return Work(heads, units=size / 2**20, file=str(video), tail=TAIL, times=times)


def post(path: str, body: object, token: str = "") -> bytes:
    return request("POST", path, json.dumps(body).encode(), token)


def request(
    method: str, path: str, body: bytes = b"", token: str = "", *, kind: str = "application/json", length: int = 0
) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\n".encode() + HOST
    if token:
        head += f"Authorization: Bearer {token}\r\n".encode()
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {length or len(body)}\r\n".encode()
    return head + b"\r\n" + body
