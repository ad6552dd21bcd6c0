"""Any S3-compatible server, through django-storages: multipart uploads over many requests, ranges, links that expire.

The bucket is private; nothing here asks for an ACL. What the server says of a failure stays here: it may hold keys.
"""

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from media_app.storage.parts import InParts, fail, within

READ_BYTES = 1024**2
#: S3 takes no smaller ones but for the last, and 10,000 of them: 80 GiB in one recording.
PART_BYTES = 8 * 1024**2
#: S3 refuses a link that is to last longer than a week.
LINK_MAX_S = 7 * 24 * 3600
MISSING = {"404", "NoSuchKey", "NotFound"}


class PrivateS3Storage(InParts, S3Storage):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Some servers send the checksum of the whole with a range, and boto3 would compare. Ours is the SHA-256 of all.
        self.client_config = self.client_config.merge(Config(response_checksum_validation="when_required"))

    def save(self, name: str, content: File, max_length: int | None = None) -> str:
        with _translated(name):
            return super().save(name, content, max_length)

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """The type is told by our name: what a client calls it would become a header. Links tell it anew."""
        told = mimetypes.guess_type(name)[0] or self.default_content_type
        return {**super().get_object_parameters(name), "ContentType": told}

    def exists(self, name: str) -> bool:
        with _translated(name):
            found = super().exists(name)
        if not found:
            self.probe()
        return found

    def size(self, name: str) -> int:
        with self._by_head(name):
            return super().size(name)

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError), _translated(name):
            self._client.delete_object(**self._object(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _translated(path):
            return super().listdir(path)

    def changed_at(self, name: str) -> datetime | None:
        with self._by_head(name):
            return self.get_modified_time(name)

    @contextmanager
    def _by_head(self, name: str) -> Iterator[None]:
        """The answer to HEAD has no body, so its 404 says not whether it is the file or the bucket that is missing."""
        try:
            with _translated(name):
                yield
        except FileNotFoundError:
            self.probe()
            raise

    def probe(self) -> None:
        try:
            with _translated(""):
                self._client.head_bucket(Bucket=self.bucket_name)
        except FileNotFoundError:
            fail("no such bucket")

    def signed_url(self, name: str, *, expires_s: int, content_type: str, filename: str) -> str | None:
        answered = {
            "ResponseContentType": content_type,
            "ResponseContentDisposition": content_disposition_header(False, filename),
            "ResponseCacheControl": "no-store",  # as ours; without a word a browser keeps it, and so may a proxy
        }
        return self._client.generate_presigned_url(
            "get_object", Params={**self._object(name), **answered}, ExpiresIn=min(expires_s, LINK_MAX_S)
        )

    def read_range(self, name: str, start: int, end: int) -> Iterator[bytes]:
        if end <= start:
            return iter(())
        with _translated(name):
            answer = self._client.get_object(**self._object(name), Range=f"bytes={start}-{end - 1}")
        # By the header, not by the status: some send a range with 200. Without it, the server knows no ranges.
        sent_from = start if answer.get("ContentRange", "").startswith(f"bytes {start}-") else 0
        return _within(answer["Body"], start - sent_from, end - start, name)

    # --- Files that arrive in parts, all but the last of one size: some servers take no others.

    part_bytes = least_part_bytes = PART_BYTES

    def _begin(self, name: str) -> str:
        with _translated(name):
            upload = self._client.create_multipart_upload(**self._object(name), ContentType=self.default_content_type)
        return upload["UploadId"]

    def _send_part(self, name: str, upload: str, number: int, data: bytes) -> str:
        with _translated(name):
            part = self._client.upload_part(**self._object(name), UploadId=upload, PartNumber=number, Body=data)
        return part["ETag"]

    def _join(self, name: str, upload: str, parts: list[tuple[int, str]]) -> None:
        listed = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in parts]}
        with _translated(name):
            self._client.complete_multipart_upload(**self._object(name), UploadId=upload, MultipartUpload=listed)

    def _drop(self, name: str, upload: str) -> None:
        with _translated(name):
            self._client.abort_multipart_upload(**self._object(name), UploadId=upload)

    def _put(self, name: str, data: bytes) -> None:
        with _translated(name):
            self._client.put_object(**self._object(name), Body=data)

    def _get(self, name: str) -> bytes:
        with _translated(name):
            return self._client.get_object(**self._object(name))["Body"].read()

    def _names(self, prefix: str) -> list[str]:
        key = self._object(prefix)["Key"]
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=key)
            return [prefix + one["Key"].removeprefix(key) for page in pages for one in page.get("Contents", ())]

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
        fail(error.response.get("Error", {}).get("Code", ""))
    except BotoCoreError as error:
        fail(type(error).__name__)


def _within(body: Any, skipped: int, length: int, name: str) -> Iterator[bytes]:
    with _translated(name):
        yield from within(body.iter_chunks(READ_BYTES), skipped, length)
