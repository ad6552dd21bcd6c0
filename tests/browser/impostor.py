"""Something between a page and the server that now and then answers in its place: a proxy, a hotel's login."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import httpx

from tests.servers import PATIENCE_S, until

#: What belongs to one connection, or is said anew.
OF_THE_LINE = {"connection", "transfer-encoding", "content-length", "date", "server", "keep-alive"}
PAGE = "<!doctype html><title>Welcome to our network</title>"


@dataclass(frozen=True)
class Reply:
    """What is answered in the server's place."""

    status: int
    body: str = PAGE
    type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(status: int, body: object, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body), "application/json", named)


class Impostor:
    """Passes on what comes, but for calls whose method and path match and whose body is such."""

    def __init__(self, server: ThreadingHTTPServer, to: str) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.replied = 0
        #: What really went to the server, as method and path.
        self.passed: list[str] = []
        #: Headers that the server is told in place of the page's.
        self.instead: dict[str, str] = {}
        self.http = httpx.Client(base_url=to, timeout=60)
        #: The call that stands here, and is let go by `let_go`.
        self.held: str | None = None
        self._held_by: str | None = None
        self._gate = Event()
        self._lost = re.compile("$^")
        self._reply: tuple[str, Reply, Callable[[bytes], bool]] | None = None

    def answer(self, pattern: str, reply: Reply, *, when: Callable[[bytes], bool] = lambda body: True) -> None:
        self.replied, self._reply = 0, (pattern, reply, when)

    def until_replied(self, times: int = 2) -> None:
        """Twice: what was asked came again."""
        until(lambda: self.replied >= times)

    def hold(self, pattern: str) -> None:
        """The next such call waits here until `let_go`, whatever becomes of its page."""
        self._held_by = pattern

    def lose(self, pattern: str) -> None:
        """What the server answers to such calls does not arrive; until `lose("$^")`."""
        self._lost = re.compile(pattern)

    def loses(self, call: str) -> bool:
        return self._lost.search(call) is not None

    def let_go(self) -> None:
        self._gate.set()

    def wait_if_held(self, call: str) -> None:
        if self._held_by and not self.held and re.search(self._held_by, call):
            self.held = call
            self._gate.wait(PATIENCE_S)

    def step_aside(self) -> None:
        self._reply = None

    def reply_to(self, call: str, body: bytes) -> Reply | None:
        pattern, reply, when = self._reply or ("$^", None, None)
        return reply if re.search(pattern, call) and when(body) else None


def _handler(impostor: Callable[[], Impostor]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            impostor().wait_if_held(f"{self.command} {self.path}")
            reply = impostor().reply_to(f"{self.command} {self.path}", body)
            if reply is None:
                self._pass_on(body)
            else:
                self._send(reply.status, {"Content-Type": reply.type, **reply.headers}, reply.body.encode())
                impostor().replied += 1

        do_GET = do_HEAD = do_POST = do_PATCH = do_OPTIONS = handle_any

        def _pass_on(self, body: bytes) -> None:
            impostor().passed.append(f"{self.command} {self.path}")
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_LINE}
            headers |= impostor().instead
            answer = impostor().http.request(self.command, self.path, content=body, headers=headers)
            if impostor().loses(f"{self.command} {self.path}"):
                self.close_connection = True
                return
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in OF_THE_LINE}
            kept.pop("content-encoding", None)  # httpx has undone it
            self._send(answer.status_code, kept, answer.content)

        def _send(self, status: int, headers: dict[str, Any], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in {204, 304}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status not in {204, 304} and self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *said: Any) -> None:
            """Nothing: the test says what it saw."""

    return Handler


@contextmanager
def impostor_before(url: str) -> Iterator[Impostor]:
    made: list[Impostor] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: made[0])) as server:
        made.append(Impostor(server, url))
        Thread(target=server.serve_forever, daemon=True).start()
        yield made[0]
        server.shutdown()
        made[0].http.close()
