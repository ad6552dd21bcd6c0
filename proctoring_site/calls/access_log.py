"""One line per request, and the id that ties all of its lines to its answer. The outermost middleware."""

import logging
import re
import secrets
import time
from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proctoring_site.calls.answer_headers import put
from proctoring_site.log_lines import request_id, route_of

logger = logging.getLogger(__name__)

HEADER, META_NAME = "X-Request-ID", "HTTP_X_REQUEST_ID"
#: What a proxy or client may choose as id; anything else could forge or swell the log.
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
#: Asked every few seconds by machines.
SELDOM_OF_INTEREST = {"/healthz", "/readyz"}


class AccessLogMiddleware:
    """Sees every answer, also those that other middleware give in place of the view's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        request_id.set(chosen := id_for(request.META.get(META_NAME, "")))
        response = self.get_response(request)
        put(response, HEADER, chosen)
        log_access(request, response, duration_ms=round((time.perf_counter() - began) * 1000, 1))
        return response


def id_for(proposed: str) -> str:
    return proposed if ACCEPTABLE.fullmatch(proposed) else secrets.token_hex(16)


def log_access(request: HttpRequest, response: HttpResponseBase, *, duration_ms: float) -> None:
    """By the route, not the path, and never the query: both can hold a name. `duration_ms` is up to the answer's start,
    `bytes` what its body has or, streamed, will have."""
    level = logging.DEBUG if request.path in SELDOM_OF_INTEREST else logging.INFO
    if not logger.isEnabledFor(level):
        return
    fields = {
        "method": request.method,
        "route": route_of(request),
        "status": response.status_code,
        "duration_ms": duration_ms,
        "bytes": size_bytes(response),
    }
    if session_id := session_id_of(request):
        fields["session"] = session_id
    logger.log(level, "answered", extra={"fields": fields})


def size_bytes(response: HttpResponseBase) -> int | None:
    """None for a stream of unknown length."""
    if "Content-Length" in response.headers:
        return int(response.headers["Content-Length"])
    return None if response.streaming else len(response.content)


def session_id_of(request: HttpRequest) -> str | None:
    """The session that the path names; in the place of an id there can be any text, so only what is one counts."""
    if request.resolver_match is None:
        return None
    named = request.resolver_match.kwargs
    try:
        return str(UUID(named.get("pk") or named.get("object_id") or ""))
    except ValueError:
        return None
