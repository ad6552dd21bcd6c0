"""What every answer tells a browser it may do; a view that set its own, stricter policy keeps it."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: Nothing inline, nothing from elsewhere. `data:` is for the icons in the style sheets of admin and Swagger UI.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        " ".join(("media-src 'self'", *settings.MEDIA_ORIGINS)),
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
#: The candidate's reference page keeps time by a worker of its own making (proctoring-timer.js).
CANDIDATE_SECURITY_POLICY = f"{CONTENT_SECURITY_POLICY}; worker-src blob:"
#: Our own pages look at recordings and record nothing, but for the candidate's reference page.
PERMISSIONS_POLICY = "camera=(), microphone=(), display-capture=(), geolocation=(), payment=(), usb=()"
RECORDING_PERMISSIONS_POLICY = (
    "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()"
)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": PERMISSIONS_POLICY,
    # Nearly every answer is about a person, and a shared computer has a disk; what is not sets its own.
    "Cache-Control": "no-store",
    # Django's middleware sends these as well, but not on what answers in its place.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


_STORED = {name.lower(): (name, value) for name, value in HEADERS.items()}


def put(response: HttpResponseBase, name: str, value: str) -> None:
    """A header of our own making, plain ASCII in one line: `headers[…] = …` looks at each character, in each answer."""
    response.headers._store[name.lower()] = (name, value)


class AnswerHeadersMiddleware:
    """Outside of all that may answer in place of a view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers._store = {**_STORED, **response.headers._store}
        return response
