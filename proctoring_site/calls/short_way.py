"""The way of a program's call, past the middleware that only pages and logins need.

What it buys: a call with a token, or with no cookie at all, asks for no session, no account, no message and no form's
token; nine middlewares in a row found that out each for itself. docs/performance.md has the figures. What such a call
needs of them is done here: the host is checked, the answer's length is told, and calls of other origins still go by way
of CORS. Whoever comes with a cookie, and every page, file and form, takes the long way as ever.
"""

from collections.abc import Callable
from typing import ClassVar

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

from proctoring_site.calls.answer_headers import put

GetResponse = Callable[[HttpRequest], HttpResponseBase]

API = "/sessions"
#: ALLOWED_HOSTS may be a pattern, so there is no end of names that it accepts.
HOSTS_REMEMBERED = 100


def is_call(request: HttpRequest) -> bool:
    """Whether no middleware between the two ends has anything to do with it."""
    meta = request.META
    if not request.path_info.startswith(API):
        return False
    return "HTTP_COOKIE" not in meta or meta.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer "


class ShortWayEnds:
    """The innermost middleware. Django makes it first, just before the one where the short way begins."""

    last_made: ClassVar[GetResponse]

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        ShortWayEnds.last_made = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class ShortWayBegins:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._short = ShortWayEnds.last_made
        self._short_from_elsewhere = CorsMiddleware(self._short)
        self._security = SecurityMiddleware(get_response)
        self._ours: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_call(request) or (self._security.redirect and not request.is_secure()):
            return self.get_response(request)
        self._demand_our_host(request)
        if "HTTP_ORIGIN" in request.META:
            response = self._short_from_elsewhere(request)
        else:
            response = self._short(request)
            if "Vary" in response.headers:
                patch_vary_headers(response, ("origin",))
            else:
                put(response, "Vary", "origin")
        if not response.streaming and "Content-Length" not in response.headers:
            put(response, "Content-Length", str(len(response.content)))
        if self._security.sts_seconds:  # its other headers are those of answer_headers.py
            return self._security.process_response(request, response)
        return response

    def _demand_our_host(self, request: HttpRequest) -> None:
        """As Django's CommonMiddleware does for all others; raises where ALLOWED_HOSTS does not have it."""
        named = request.META.get("HTTP_HOST")
        if named not in self._ours:
            request.get_host()
            if named and len(self._ours) < HOSTS_REMEMBERED:
                self._ours.add(named)
