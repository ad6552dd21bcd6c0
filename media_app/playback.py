"""A stored file to watch or to keep: whole or one range of it (RFC 9110, 14), from any storage, in constant memory.

A proxy sends it when SENDFILE says which, S3 by a signed link; else we do.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe, quote_etag

logger = logging.getLogger(__name__)

#: No file has a place of more digits; Python reads no number of thousands.
ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII)
#: A player goes on with the storage's link for as long as somebody watches, without asking us again: one look in the
#: audit log may be of so long.
SIGNED_FOR_S = 3600


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on a storage. `tag` tells this content from any other that may come to lie under the name."""

    storage: Any
    name: str
    size_bytes: int
    tag: str
    modified_at: datetime | None
    content_type: str
    filename: str
    as_attachment: bool = False
    #: None for a file of the time before recordings.
    recording_id: str | None = None


def play(request: HttpRequest, stored: Stored, *, for_s: int = SIGNED_FOR_S) -> HttpResponseBase:
    """The answer to GET and HEAD. Raises FileNotFoundError when the file is not there.

    `for_s`: how long a link of the storage may serve that is answered.
    """
    headers = _headers(stored)
    if _is_known(request, stored):
        return HttpResponse(status=304, headers=headers)
    if settings.SENDFILE == "nginx" and stored.storage.local_path(stored.name):
        return _by_nginx(stored, headers)
    if request.method == "HEAD":  # answered by us, since a storage's link is for GET alone
        stored.storage.size(stored.name)
    elif link := stored.storage.signed_url(
        stored.name, expires_s=for_s, content_type=stored.content_type, filename=stored.filename
    ):
        return HttpResponse(status=302, headers={"Location": link})
    return _by_ourselves(request, stored, headers)


def _headers(stored: Stored) -> dict[str, str]:
    headers = {
        "Content-Type": stored.content_type,
        "Accept-Ranges": "bytes",
        "ETag": quote_etag(stored.tag),
        "Content-Disposition": content_disposition_header(stored.as_attachment, stored.filename),
    }
    if stored.modified_at:
        headers["Last-Modified"] = http_date(stored.modified_at.timestamp())
    return headers


def _is_known(request: HttpRequest, stored: Stored) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return "*" in tags or quote_etag(stored.tag) in tags


def _by_nginx(stored: Stored, headers: dict[str, str]) -> HttpResponse:
    """An empty answer that nginx fills from its internal location; ranges are its own affair then."""
    del headers["Accept-Ranges"]
    folder = quote(stored.storage.drive)
    place = f"{settings.SENDFILE_URL.rstrip('/')}/{folder}/{quote(stored.name)}"
    return HttpResponse(headers={**headers, "X-Accel-Redirect": place})


def _by_ourselves(request: HttpRequest, stored: Stored, headers: dict[str, str]) -> HttpResponseBase:
    size = stored.size_bytes
    wanted = _range(request.headers.get("Range", ""), size) if _range_is_meant(request, stored) else None
    if wanted == ():
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = wanted or (0, size)
    status = 200 if wanted is None else 206
    headers["Content-Length"] = str(end - start)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    if wanted is None and (path := stored.storage.local_path(stored.name)):
        told = {
            "content_type": headers.pop("Content-Type"),
            "filename": stored.filename,
            "as_attachment": stored.as_attachment,
        }
        return FileResponse(path.open("rb"), headers=headers, **told)
    chunks = stored.storage.read_range(stored.name, start, end)  # opened now: not there, it can still be a 404
    return StreamingHttpResponse(_counted(chunks, end - start), status=status, headers=headers)


def _range_is_meant(request: HttpRequest, stored: Stored) -> bool:
    """If-Range: only of the very file that the client has the beginning of."""
    known = request.headers.get("If-Range", "").strip()
    if not known:
        return True
    if known.startswith(('"', "W/")):
        return known == quote_etag(stored.tag)
    at = parse_http_date_safe(known)
    return at is not None and stored.modified_at is not None and at == int(stored.modified_at.timestamp())


def _range(header: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """Start and end (exclusive); () for a range that the file does not have; None: none, or several."""
    match = ONE_RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is None:
        return (max(0, size - last), size) if last and size else ()
    if last is not None and last < first:
        return None
    return (first, size if last is None else min(last + 1, size)) if first < size else ()


def _counted(chunks: Iterator[bytes], length: int) -> Iterator[bytes]:
    """A storage that fails in the middle cuts the connection: the client sees it, and asks again."""
    sent = 0
    try:
        for chunk in chunks:
            sent += len(chunk)
            yield chunk
    except Exception as error:
        logger.error("a stored file broke off after %d of %d bytes: %s", sent, length, type(error).__name__)
        raise ConnectionAbortedError from error
    if sent != length:
        logger.error("a stored file ended after %d of %d bytes", sent, length)
        raise ConnectionAbortedError
