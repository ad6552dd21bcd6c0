"""The routes of uploads in parts, by the tus protocol: tus.py reads its headers, resumable.py does what they ask."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import http_date
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from media_app import intake, resumable, tus
from media_app.errors import StrangeVersion
from media_app.models import Recording
from proctoring_site.access.permissions import Rule, holds, own_session
from proctoring_site.access.roles import Right
from sessions_app.views import OfASession

#: The ways that a program behind a strict proxy has: it says POST, and here what it means.
OVERRIDDEN = {"PATCH", "DELETE", "HEAD"}
UPLOAD_METHODS = {"head": "look", "patch": "write", "delete": "give_up"}
EVERYBODY: Mapping[str, str] = {"Tus-Resumable": tus.VERSION}


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Send the Content-Length of the part."
    default_code = "length_required"


class UploadViewSet(OfASession):
    """Recordings that arrive in parts."""

    schema = None  # its contract is tus's, which speaks in headers
    rules: Mapping[str, tuple[Rule, ...]] = dict.fromkeys(
        ("create", *UPLOAD_METHODS.values()), (own_session, holds(Right.IMPORT))
    )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        meant = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == "POST" and meant in OVERRIDDEN:
            request.method = meant
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != tus.VERSION:
            raise StrangeVersion

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in EVERYBODY.items():
            response.headers[name] = value
        if response.status_code == 412:
            response.headers["Tus-Version"] = tus.VERSION
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What of tus there is. A browser's own question before a request from elsewhere never comes this far."""
        able = {
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(settings.VIDEO_MAX_BYTES),
            "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
        }
        return Response(status=204, headers=able)

    def create(self, request: Request, pk: str) -> Response:
        session = self.get_object()
        size_bytes = tus.whole_number(request.headers, "Upload-Length")
        upload = resumable.begin(session, size_bytes=size_bytes, **tus.told(request.headers))
        location = request.build_absolute_uri(reverse("session-upload", args=[session.pk, upload.pk]))
        return Response(status=201, headers={"Location": location, **_expiry(upload)})

    def look(self, request: Request, pk: str, upload_id: str) -> Response:
        upload = resumable.find(self.get_object(), upload_id)
        return Response(headers={**_progress(upload), "Upload-Length": str(upload.size_bytes)})

    def write(self, request: Request, pk: str, upload_id: str) -> Response:
        """Of any size, 5 MB or the whole file. What came before a connection broke is kept: ask where to go on."""
        session = self.get_object()
        if request.content_type != tus.PART_TYPE:
            raise UnsupportedMediaType(request.content_type)
        offset = tus.whole_number(request.headers, "Upload-Offset")
        checksum = tus.checksum(request.headers)
        if "Transfer-Encoding" in request.headers:
            raise LengthRequired
        length = tus.whole_number({"Content-Length": request.headers.get("Content-Length") or "0"}, "Content-Length")
        upload = resumable.find(session, upload_id)
        with intake.a_place():
            upload = resumable.write(
                upload, offset=offset, chunks=body_of(request._request), length=length, checksum=checksum
            )
        return Response(status=204, headers=_progress(upload))

    def give_up(self, request: Request, pk: str, upload_id: str) -> Response:
        resumable.give_up(resumable.find(self.get_object(), upload_id))
        return Response(status=204)


def body_of(request: HttpRequest) -> Iterator[bytes]:
    """The body as it comes; its end is the end, whether the client meant it or its connection broke."""
    while True:
        try:
            chunk = request.read(resumable.READ_BYTES)
        except (OSError, UnreadablePostError):
            return
        if not chunk:
            return
        yield chunk


def _progress(upload: Recording) -> dict[str, str]:
    return {"Upload-Offset": str(upload.offset), **_expiry(upload)}


def _expiry(upload: Recording) -> dict[str, str]:
    return {"Upload-Expires": http_date(upload.expires_at.timestamp())} if upload.expires_at else {}
