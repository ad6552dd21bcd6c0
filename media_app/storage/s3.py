"""Any S3-compatible server, through django-storages: multipart uploads over many requests, ranges, links that expire.

The bucket is private; nothing here asks for an ACL. What the server says of a failure stays here: it may hold keys.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from media_app.errors import StorageFailed
from media_app.storage.lease import one_at_a_time

READ_BYTES = 1024**2
#: S3 takes no smaller ones but for the last, and 10,000 of them: 80 GiB in one recording.
PART_BYTES = 8 * 1024**2
MISSING = {"404", "NoSuchKey", "NotFound"}


class PrivateS3Storage(S3Storage):
    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself, as on the local disk: ours are made from ids."""
        return name

    def save(self, name: str, content: File, max_length: int | None = None) -> str:
        with _translated(name):
            return super().save(name, content, max_length)

    def exists(self, name: str) -> bool:
        with _translated(name):
            return super().exists(name)

    def size(self, name: str) -> int:
        with _translated(name):
            return super().size(name)

    def delete(self, name: str) -> None:
        with _translated(name):
            super().delete(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _translated(path):
            return super().listdir(path)

    def get_modified_time(self, name: str) -> Any:
        with _translated(name):
            return super().get_modified_time(name)

    def _open(self, name: str, mode: str = "rb") -> File:
        with _translated(name):
            return super()._open(name, mode)

    def probe(self) -> None:
        try:
            with _translated(""):
                self._client.head_bucket(Bucket=self.bucket_name)
        except FileNotFoundError:
            _fail("no such bucket")

    def one_at_a_time(self, key: str) -> AbstractContextManager[None]:
        return one_at_a_time(f"{self.location}/{key}")

    def local_path(self, name: str) -> Path | None:
        return None

    def signed_url(self, name: str, *, expires_s: int, content_type: str, filename: str) -> str | None:
        answered = {
            "ResponseContentType": content_type,
            "ResponseContentDisposition": content_disposition_header(False, filename),
        }
        return self._client.generate_presigned_url(
            "get_object", Params={**self._object(name), **answered}, ExpiresIn=expires_s
        )

    def read_range(self, name: str, start: int, end: int) -> Iterator[bytes]:
        if end <= start:
            return iter(())
        with _translated(name):
            answer = self._client.get_object(**self._object(name), Range=f"bytes={start}-{end - 1}")
        whole = answer["ResponseMetadata"]["HTTPStatusCode"] == 200  # a server that knows no ranges
        return _within(answer["Body"], start if whole else 0, end - start, name)

    # --- Files that arrive in pieces: {"offset", "upload", "parts": [[number, size, etag]], "tail": size of the rest}
    # What is too little for a part waits in an object of its own, so that no byte that was answered for is lost.

    def start_parts(self, name: str, content_type: str | None = None) -> dict[str, Any]:
        with _translated(name):
            upload = self._client.create_multipart_upload(
                **self._object(name), ContentType=content_type or self.default_content_type
            )
        return {"offset": 0, "upload": upload["UploadId"], "parts": [], "tail": 0}

    def append(self, name: str, state: dict[str, Any], chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        held = bytearray(self._tail(name, state))
        before = state
        for chunk in chunks:
            held += chunk
            while len(held) >= PART_BYTES:
                state = self._with_part(name, state, bytes(held[:PART_BYTES]))
                del held[:PART_BYTES]
                yield state
                self._drop_tail(name, before)
                before = state
        whole = state["offset"] - state["tail"]
        if whole + len(held) > state["offset"]:
            with _translated(name):
                self._client.put_object(**self._tail_object(name, whole + len(held)), Body=bytes(held))
            state = {**state, "offset": whole + len(held), "tail": len(held)}
            yield state
            self._drop_tail(name, before)

    def finish_parts(self, name: str, state: dict[str, Any]) -> None:
        try:
            self._complete(name, state)
        except FileNotFoundError:  # no such upload any more: an earlier call finished it
            if not self.exists(name):
                raise
        self._drop_tail(name, state)

    def abort_parts(self, name: str, state: dict[str, Any]) -> None:
        try:
            with _translated(name):
                self._client.abort_multipart_upload(**self._object(name), UploadId=state["upload"])
        except FileNotFoundError:
            pass
        self._drop_tail(name, state)

    def _complete(self, name: str, state: dict[str, Any]) -> None:
        if tail := self._tail(name, state):
            state = self._with_part(name, state, tail)
        with _translated(name):
            if not state["parts"]:  # nothing was sent: S3 knows no upload without parts
                self._client.abort_multipart_upload(**self._object(name), UploadId=state["upload"])
                self._client.put_object(**self._object(name), Body=b"")
                return
            parts = [{"PartNumber": number, "ETag": etag} for number, _, etag in state["parts"]]
            self._client.complete_multipart_upload(
                **self._object(name), UploadId=state["upload"], MultipartUpload={"Parts": parts}
            )

    def _with_part(self, name: str, state: dict[str, Any], data: bytes) -> dict[str, Any]:
        number = len(state["parts"]) + 1
        with _translated(name):
            part = self._client.upload_part(
                **self._object(name), UploadId=state["upload"], PartNumber=number, Body=data
            )
        parts = [*state["parts"], [number, len(data), part["ETag"]]]
        return {**state, "offset": sum(size for _, size, _ in parts), "parts": parts, "tail": 0}

    def _tail(self, name: str, state: dict[str, Any]) -> bytes:
        if not state["tail"]:
            return b""
        with _translated(name):
            return self._client.get_object(**self._tail_object(name, state["offset"]))["Body"].read()

    def _drop_tail(self, name: str, state: dict[str, Any]) -> None:
        if state["tail"]:
            with _translated(name):
                self._client.delete_object(**self._tail_object(name, state["offset"]))

    def _tail_object(self, name: str, offset: int) -> dict[str, str]:
        """One name per state: the one before stays readable until the next was written down."""
        return self._object(f"{name}.tail.{offset}")

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}

    @property
    def _client(self) -> Any:
        return self.connection.meta.client


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """S3's words for "not there" become FileNotFoundError, everything else StorageFailed: never the other way round."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {*MISSING, "NoSuchUpload"}:
            raise FileNotFoundError(name) from None
        _fail(error.response.get("Error", {}).get("Code", ""))
    except BotoCoreError as error:
        _fail(type(error).__name__)


def _fail(why: str) -> NoReturn:
    raise StorageFailed(f"The storage of videos and reports failed ({why}).") from None


def _within(body: Any, skipped: int, length: int, name: str) -> Iterator[bytes]:
    with _translated(name):
        for chunk in body.iter_chunks(READ_BYTES):
            wanted = chunk[skipped : skipped + length]
            skipped = max(0, skipped - len(chunk))
            length -= len(wanted)
            if wanted:
                yield wanted
            if not length:
                return
