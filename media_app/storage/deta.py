"""Deta Drive, by its documented HTTP protocol, on whatever host answers it: files in parts, ranges, retries.

Deta itself switched its servers off in October 2024. The data key stays in one header; no message repeats it.
"""

import random
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import httpx
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage
from django.core.files.utils import validate_file_name
from django.utils.functional import cached_property

from media_app.errors import StorageFailed
from media_app.storage.parts import InParts, fail, take, within

MIB = 1024**2
READ_BYTES = MIB
SENT_AT_ONCE_BYTES = 64 * 1024
#: The protocol's bounds of every part but the last. The official clients send the largest.
LEAST_PART_BYTES, PART_BYTES = 5 * MIB, 10 * MIB
NAMES_PER_PAGE = 1000
ATTEMPTS = 5
FIRST_WAIT_S = 0.2
#: No further attempt after so long, so that a server that hangs does not keep a request for minutes.
GIVE_UP_AFTER_S = 30
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT = httpx.Timeout(20, connect=5)


class DetaDriveStorage(InParts, Storage):
    """One drive of the project that the data key (DETA_PROJECT_KEY) is for; it comes into being at its first file."""

    part_bytes, least_part_bytes = PART_BYTES, LEAST_PART_BYTES

    def __init__(self, *, location: str) -> None:
        self.location = location

    def _save(self, name: str, content: File) -> str:
        pieces = _in_parts(content)
        first = next(pieces)
        if len(first) < LEAST_PART_BYTES:
            self._put(name, first)
            return name
        state = self.start_parts(name)
        try:
            for data in chain([first], pieces):
                state = self._with_part(name, state, data)
            self.finish_parts(name, state)
        except BaseException:  # an upload that is left holds its parts for ever
            with suppress(StorageFailed):
                self.abort_parts(name, state)
            raise
        return name

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def changed_at(self, name: str) -> None:
        """A Drive keeps no times."""

    def size(self, name: str) -> int:
        """There is no call that asks for it: one byte is read, and what the answer says of the whole."""
        with self._download(name, {"Range": "bytes=0-0"}) as answer:
            whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if not whole and answer.status_code == httpx.codes.OK:  # it knows no ranges
                whole = answer.headers.get("Content-Length", "")
        return int(whole) if whole.isdigit() else fail("it does not say how large a file is")

    def delete(self, name: str) -> None:
        answer = self._ask("DELETE", "/files", name, json={"names": [_checked(name)]})
        if _json(answer).get("failed"):
            fail("it kept a file that was to be deleted")

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path.strip('/')}/" if path.strip("/") else ""
        folders, files = set(), []
        for name in self._names(prefix):
            first, slash, _ = name.removeprefix(prefix).partition("/")
            if slash:
                folders.add(first)
            else:
                files.append(first)
        return sorted(folders), files

    def probe(self) -> None:
        next(self._names("", limit=1), None)

    def signed_url(self, name: str, *, expires_s: int, content_type: str, filename: str) -> str | None:
        """Deta Drive has none: we pass the bytes on."""
        return None

    def read_range(self, name: str, start: int, end: int) -> Iterator[bytes]:
        if end <= start:
            return iter(())
        answer = self._range(name, start, end)
        reading = self._read(name, answer, start, end)
        weakref.finalize(reading, answer.close)  # also when nobody begins to read
        return reading

    def _read(self, name: str, answer: httpx.Response, start: int, end: int) -> Iterator[bytes]:
        """A connection that breaks is taken up where it broke, unless it brought nothing since the last time."""
        while start < end:
            begun = start
            try:
                for data in _wanted(answer, start, end):
                    start += len(data)
                    yield data
                if start < end:
                    fail("a file ended too early")
            except httpx.RequestError as error:
                if start == begun:
                    fail(type(error).__name__)
            finally:
                answer.close()
            if start < end:
                answer = self._range(name, start, end)

    def _range(self, name: str, start: int, end: int) -> httpx.Response:
        asked = {"Range": f"bytes={start}-{end - 1}"}
        return self._ask("GET", "/files/download", name, params={"name": _checked(name)}, headers=asked, stream=True)

    @contextmanager
    def _download(self, name: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        asked = {"params": {"name": _checked(name)}, "headers": headers, "stream": True, "may_be": (416,)}
        answer = self._ask("GET", "/files/download", name, **asked)
        try:
            yield answer
        finally:
            if answer.headers.get("Content-Length") == "1":
                with suppress(httpx.RequestError):
                    answer.read()  # so that the connection can be used again
            answer.close()

    def _names(self, prefix: str, limit: int = NAMES_PER_PAGE) -> Iterator[str]:
        last = None
        while True:
            asked = {"limit": limit, "prefix": prefix or None, "last": last}
            params = {key: value for key, value in asked.items() if value is not None}
            try:
                page = _json(self._ask("GET", "/files", prefix, params=params))
            except FileNotFoundError:  # a drive without any file yet
                return
            yield from page.get("names", [])
            last = (page.get("paging") or {}).get("last")
            if not last:
                return

    # --- What InParts asks for.

    def _begin(self, name: str) -> str:
        answer = self._ask("POST", "/uploads", name, params={"name": _checked(name)})
        return str(_json(answer).get("upload_id") or fail("it gave an upload no id"))

    def _send_part(self, name: str, upload: str, number: int, data: bytes) -> str:
        params = {"name": _checked(name), "part": number}
        with _body(data) as body:
            self._ask("POST", f"/uploads/{upload}/parts", name, params=params, **body)
        return ""

    def _join(self, name: str, upload: str, parts: list[tuple[int, str]]) -> None:
        self._ask("PATCH", f"/uploads/{upload}", name, params={"name": _checked(name)})

    def _drop(self, name: str, upload: str) -> None:
        self._ask("DELETE", f"/uploads/{upload}", name, params={"name": _checked(name)})

    def _put(self, name: str, data: bytes) -> None:
        with _body(data) as body:
            self._ask("POST", "/files", name, params={"name": _checked(name)}, **body)

    def _get(self, name: str) -> bytes:
        return self._ask("GET", "/files/download", name, params={"name": _checked(name)}).content

    # --- HTTP.

    def _ask(
        self, method: str, path: str, name: str, *, stream: bool = False, may_be: tuple[int, ...] = (), **how: Any
    ) -> httpx.Response:
        """The answer, when it is a success. Every call may be repeated: each says the whole of what is to be so."""
        request = self._client.build_request(method, f"{self._base}{path}", **how)
        why, given_up_at = "", time.monotonic() + GIVE_UP_AFTER_S
        for attempt in range(ATTEMPTS):
            if attempt and time.monotonic() > given_up_at:
                break
            if attempt:
                time.sleep(FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                answer = self._client.send(request, stream=stream)
            except httpx.RequestError as error:
                why = type(error).__name__
                continue
            if answer.is_success or answer.status_code in may_be:
                return answer
            answer.close()
            if answer.status_code == 404:
                raise FileNotFoundError(name)
            why = f"status {answer.status_code}"
            if answer.status_code not in TRY_AGAIN:
                break
        return fail(why)

    @cached_property
    def _client(self) -> httpx.Client:
        # Bytes as they lie there: of packed ones neither a range nor a length could be told.
        headers = {"X-API-Key": settings.DETA_PROJECT_KEY, "Accept-Encoding": "identity"}
        return httpx.Client(headers=headers, timeout=TIMEOUT)

    @property
    def _base(self) -> str:
        project = settings.DETA_PROJECT_KEY.partition("_")[0]
        return f"https://{settings.DETA_DRIVE_HOST}/v1/{project}/{self.location}"


class _Pieces:
    """A body that can be sent again. Whole, httpcore would copy all that is left of it after each 16 KiB."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), SENT_AT_ONCE_BYTES):
            yield bytes(self._data[start : start + SENT_AT_ONCE_BYTES])

    def forget(self) -> None:
        self._data = memoryview(b"")


@contextmanager
def _body(data: bytes) -> Iterator[dict[str, Any]]:
    """httpx's answers hold their requests in circles, and so would hold many parts until the collector comes by."""
    pieces = _Pieces(data)
    try:
        yield {"content": pieces, "headers": {"Content-Length": str(len(data))}}
    finally:
        pieces.forget()


def _checked(name: str) -> str:
    """Raises SuspiciousFileOperation for a name that means another folder."""
    return str(validate_file_name(name, allow_relative_path=True))


def _in_parts(content: File) -> Iterator[bytes]:
    """Pieces of PART_BYTES and a last one that may be empty only when it is the first."""
    held, any_yet = bytearray(), False
    for chunk in content.chunks(READ_BYTES):
        held += chunk.encode() if isinstance(chunk, str) else chunk
        while len(held) > PART_BYTES:
            yield take(held, PART_BYTES)
            any_yet = True
    if held or not any_yet:
        yield bytes(held)


def _wanted(answer: httpx.Response, start: int, end: int) -> Iterator[bytes]:
    """Of what came, the bytes from start to end, whether or not the server did as it was asked."""
    is_range = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    if answer.status_code == httpx.codes.PARTIAL_CONTENT and not is_range:
        fail("it sent another range than it was asked for")
    return within(answer.iter_bytes(READ_BYTES), 0 if is_range else start, end - start)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        fail("its answer is no JSON")
    return found if isinstance(found, dict) else {}
