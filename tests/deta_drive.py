"""Deta Drive by its documented protocol, on a TLS port of its own, with the troubles of a real network on demand.

It is strict where the documents are: sizes of parts, ids, names, the key. npm's genuine client works against it too
(test_deta_drive.py), which is what speaks for it: of the real service nothing is left.
"""

import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import trustme

KEY = "a0projekt_sEcReT"
PROJECT = KEY.partition("_")[0]
MIB = 1024**2
FILE_MAX_BYTES = 10_000_000


@dataclass
class Upload:
    drive: str
    name: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class DetaDrive:
    host: str
    authority: Path
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    #: (method, path without the project) of each call, in order.
    calls: list[tuple[str, str]] = field(default_factory=list)
    knows_ranges: bool = True
    #: The status of every answer, when it is not 0.
    always: int = 0
    #: What happens to the next calls, the first one first: a status; "lost" (done, and not answered); a number of
    #: bytes as "cut 1000" (so much of a download). Only calls for which `troubled` is true are counted.
    troubles: list[int | str] = field(default_factory=list)
    troubled: Callable[[str, str], bool] = lambda method, path: True

    def names(self, drive: str = "videos") -> list[str]:
        return sorted(name for of, name in self.files if of == drive)

    def forget(self) -> None:
        self.__init__(self.host, self.authority)  # type: ignore[misc]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    drive_service: DetaDrive

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def _handle(self) -> None:
        service, parts = self.drive_service, urlsplit(self.path)
        self.asked = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.body = self._read_body()
        _, version, project, self.drive, *rest = parts.path.split("/")
        path = "/" + "/".join(rest)
        service.calls.append((self.command, path))
        trouble = service.troubles.pop(0) if service.troubles and service.troubled(self.command, path) else None
        if service.always:
            trouble = service.always
        if isinstance(trouble, int):
            return self._answer(trouble, {"errors": ["trouble"]})
        self.trouble = trouble
        if (version, project, self.headers["X-API-Key"]) != ("v1", PROJECT, KEY):
            return self._answer(401, {"errors": ["Unauthorized"]})
        calls = {
            ("POST", "files"): self._put,
            ("GET", "files"): self._list,
            ("DELETE", "files"): self._delete,
            ("GET", "files/download"): self._download,
            ("POST", "uploads"): self._begin,
            ("POST", "uploads/*/parts"): self._part,
            ("PATCH", "uploads/*"): self._join,
            ("DELETE", "uploads/*"): self._abort,
        }
        self.upload_id = rest[1] if rest[:1] == ["uploads"] and len(rest) > 1 else ""
        shape = "/".join("*" if word == self.upload_id else word for word in rest)
        call = calls.get((self.command, shape))
        return call() if call else self._answer(404, {"errors": ["Not Found"]})

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def _put(self) -> None:
        if not self._name_is_good():
            return
        if len(self.body) > FILE_MAX_BYTES:
            self._answer(413, b"<html>413 Request Entity Too Large</html>", "text/html")
            return
        self.drive_service.files[self.drive, self.asked["name"]] = self.body
        self._answer(201, self._about())

    def _list(self) -> None:
        limit, prefix = int(self.asked.get("limit", 1000)), self.asked.get("prefix", "")
        if not 1 <= limit <= 1000:
            return self._answer(400, {"errors": ["limit"]})
        last = self.asked.get("last", "")
        names = [name for name in self.drive_service.names(self.drive) if name.startswith(prefix) and name > last]
        page = names[:limit]
        more = {"paging": {"size": len(page), "last": page[-1]}} if len(names) > limit else {}
        return self._answer(200, {"names": page, **more})

    def _delete(self) -> None:
        names = json.loads(self.body)["names"]
        if not 1 <= len(names) <= 1000:
            return self._answer(400, {"errors": ["names"]})
        for name in names:
            self.drive_service.files.pop((self.drive, name), None)
        return self._answer(200, {"deleted": names, "failed": {}})

    def _download(self) -> None:
        data = self.drive_service.files.get((self.drive, self.asked.get("name", "")))
        if data is None:
            return self._answer(404, {"errors": ["File not found"]})
        asked = self.headers["Range"]
        if not asked or not self.drive_service.knows_ranges:
            return self._answer(200, data, "application/octet-stream", {"Accept-Ranges": "bytes"})
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) + 1, len(data))
        if start >= len(data):
            return self._answer(416, b"", headers={"Content-Range": f"bytes */{len(data)}"})
        within = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        return self._answer(206, data[start:end], "application/octet-stream", within)

    def _begin(self) -> None:
        if not self._name_is_good():
            return None
        upload_id = uuid4().hex
        self.drive_service.uploads[upload_id] = Upload(self.drive, self.asked["name"])
        return self._answer(202, {**self._about(), "upload_id": upload_id})

    def _part(self) -> None:
        if not (upload := self._upload()):
            return None
        number = int(self.asked["part"])
        if number < 1:
            return self._answer(400, {"errors": ["part"]})
        if len(self.body) > 10 * MIB:
            return self._answer(413, b"<html>413 Request Entity Too Large</html>", "text/html")
        upload.parts[number] = self.body
        return self._answer(200, {**self._about(), "upload_id": self.upload_id, "part": number})

    def _join(self) -> None:
        if not (upload := self._upload()):
            return None
        numbers = sorted(upload.parts)
        if not numbers or numbers != list(range(1, len(numbers) + 1)):
            return self._answer(400, {"errors": ["parts are missing"]})
        if any(len(upload.parts[number]) < 5 * MIB for number in numbers[:-1]):
            return self._answer(400, {"errors": ["a part is too small"]})
        data = b"".join(upload.parts[number] for number in numbers)
        self.drive_service.files[upload.drive, upload.name] = data
        del self.drive_service.uploads[self.upload_id]
        return self._answer(200, {**self._about(), "upload_id": self.upload_id})

    def _abort(self) -> None:
        if self._upload():
            del self.drive_service.uploads[self.upload_id]
            self._answer(200, {**self._about(), "upload_id": self.upload_id})

    def _upload(self) -> Upload | None:
        upload = self.drive_service.uploads.get(self.upload_id)
        if upload is None or (upload.drive, upload.name) != (self.drive, self.asked.get("name")):
            self._answer(404, {"errors": ["Upload not found"]})
            return None
        return upload

    def _name_is_good(self) -> bool:
        name = self.asked.get("name", "")
        if not name or name.endswith("/"):
            self._answer(400, {"errors": ["name"]})
            return False
        return True

    def _about(self) -> dict[str, str]:
        return {"name": self.asked["name"], "project_id": PROJECT, "drive_name": self.drive}

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(
        self, status: int, content: Any, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        trouble = getattr(self, "trouble", None)
        self.trouble = None
        if trouble == "lost":
            self.close_connection = True
            return
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if isinstance(trouble, str) and trouble.startswith("cut"):
            data = data[: int(trouble.split()[1])]
            self.close_connection = True
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away in the middle, which the tests do on purpose


def serve(folder: Path) -> tuple[Server, DetaDrive]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    service = DetaDrive(f"127.0.0.1:{server.server_port}", folder / "authority.pem")
    server.RequestHandlerClass = type("BoundHandler", (Handler,), {"drive_service": service})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, service


@pytest.fixture(scope="module")
def deta_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DetaDrive]:
    server, service = serve(tmp_path_factory.mktemp("deta"))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(service.authority)  # httpx reads it, as it does for any host's own authority
    yield service
    if before is None:
        del os.environ["SSL_CERT_FILE"]
    else:
        os.environ["SSL_CERT_FILE"] = before
    server.shutdown()
    server.server_close()


@pytest.fixture
def deta(deta_service: DetaDrive, settings: Any) -> DetaDrive:
    """Its drives, empty; the settings know how to reach them."""
    deta_service.forget()
    settings.DETA_PROJECT_KEY, settings.DETA_DRIVE_HOST = KEY, deta_service.host
    return deta_service


def main() -> None:
    """A process of its own, for bench/storages.py: its host goes into {folder}/host once it answers."""
    folder = Path(sys.argv[1])
    _, service = serve(folder)
    (folder / "host.part").write_text(service.host)
    (folder / "host.part").replace(folder / "host")
    threading.Event().wait()


if __name__ == "__main__":
    main()
