"""How calls are refused, as the document of the API tells it (openapi.py): by status, with a sentence of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from media_app.errors import NoPicture, NotAVideo, TooManyAtOnce, TooManyRecordings, UnsafeFileName, VideoTooLarge
from proctoring_site.access.authentication import INVALID
from proctoring_site.access.permissions import NOT_YOURS
from proctoring_site.calls import outage
from proctoring_site.errors import STATUS
from sessions_app.errors import (
    EventIdConflict,
    EventUndecided,
    MovedMeanwhile,
    ProctoringError,
    SessionClosed,
    StartKeyConflict,
    TooManyEvents,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way to be refused, as the server really says it; `name` is that of the example."""

    status: int
    code: str
    name: str
    detail: str
    fields: tuple[str, str] | None = None

    @property
    def body(self) -> dict[str, Any]:
        return {
            "detail": self.detail,
            "code": self.code,
            **({"fields": {self.fields[0]: [self.fields[1]]}} if self.fields else {}),
        }


def _by(error: type[ProctoringError], name: str) -> Refusal:
    return Refusal(STATUS[error], error.code, name, error.sentence)


REFUSED = Refusal(400, "bad_request", "Refused", "The request was refused.")
NOT_METHOD = Refusal(405, "method_not_allowed", "Another method", 'Method "PUT" not allowed.')
INVALID_TOKEN = Refusal(401, "invalid_token", "A bad token", INVALID)
NOT_SIGNED_IN = Refusal(401, "not_authenticated", "Only with a token", "Authentication credentials were not provided.")
NO_CSRF_TOKEN = Refusal(403, "permission_denied", "A cookie alone", "CSRF Failed: CSRF token missing.")
NO_RIGHT = Refusal(403, "permission_denied", "Not for this token", "You do not have permission to perform this action.")
NOT_FOUND = Refusal(404, "not_found", "Not there, or not for you", NOT_YOURS)
NO_PICTURE = _by(NoPicture, "No picture")
NOT_JSON = Refusal(
    400, "parse_error", "Not JSON", "The body is not valid JSON: Expecting value: line 1 column 1 (char 0)"
)
NOT_MULTIPART = Refusal(
    400, "parse_error", "Not multipart", "Multipart form parse error - Invalid boundary in multipart: None"
)
BODY_TOO_LARGE = Refusal(413, "body_too_large", "Too large", "The request body is larger than 1,048,576 bytes.")
IMPORT_TOO_LARGE = _by(VideoTooLarge, "Too large a video")
VIDEO_TOO_LARGE = replace(IMPORT_TOO_LARGE, detail=str(VideoTooLarge.beyond(2 * 1024**3)))  # as shipped
ANOTHER_TYPE = Refusal(415, "unsupported_media_type", "Another type", 'Unsupported media type "text/plain" in request.')
NOT_A_VIDEO = _by(NotAVideo, "No video")
TOO_MANY_AT_ONCE = _by(TooManyAtOnce, "Too many arrive")
TOO_MANY_RECORDINGS = _by(TooManyRecordings, "One recording too many")
UNSAFE_NAME = _by(UnsafeFileName, "Not a plain name")
SESSION_CLOSED = _by(SessionClosed, "Too late")
ILLEGAL_MOVE = Refusal(409, "illegal_move", "Not in this state", "The session is expired and cannot become ended.")
KEY_CONFLICT = _by(StartKeyConflict, "A key used before")
TOO_MANY_EVENTS = _by(TooManyEvents, "Too many")
ID_CONFLICT = _by(EventIdConflict, "An id used before")
THROTTLED = Refusal(429, "throttled", "Too often", "Request was throttled. Expected available in 42 seconds.")
OUTAGE = Refusal(503, "database_unavailable", "The database is away", outage.SENTENCE)
TRY_AGAIN = _by(EventUndecided, "Not safely stored yet")
MOVED_MEANWHILE = _by(MovedMeanwhile, "Others change it at the moment")


def _invalid(field: str, sentence: str) -> Refusal:
    return Refusal(400, "invalid", "Not valid", "Some fields are not valid.", (field, sentence))


def _illegal(to: str) -> Refusal:
    return replace(ILLEGAL_MOVE, detail=f"The session is expired and cannot become {to}.")


REQUIRED = "This field is required."
NO_REASON = '"bored" is not a valid choice.'
#: What only one route says.
ALSO: Mapping[tuple[str, str], tuple[Refusal, ...]] = {
    ("GET", "/sessions"): (_invalid("limit", "Must be a whole number from 1 to 1000."),),
    ("POST", "/sessions"): (
        _invalid("candidate_name", REQUIRED),
        NOT_SIGNED_IN,
        NO_RIGHT,
        KEY_CONFLICT,
        MOVED_MEANWHILE,
    ),
    ("POST", "/sessions/{id}/events"): (
        _invalid("event_type", REQUIRED),
        SESSION_CLOSED,
        ID_CONFLICT,
        TOO_MANY_EVENTS,
        TRY_AGAIN,
    ),
    ("POST", "/sessions/{id}/events/batch"): (_invalid("events", REQUIRED), SESSION_CLOSED),
    ("POST", "/sessions/{id}/heartbeat"): (_invalid("camera", "Must be a valid boolean."), TRY_AGAIN),
    ("POST", "/sessions/{id}/end"): (ILLEGAL_MOVE, MOVED_MEANWHILE),
    ("POST", "/sessions/{id}/pause"): (_invalid("reason_code", NO_REASON), _illegal("paused"), MOVED_MEANWHILE),
    ("POST", "/sessions/{id}/resume"): (_invalid("reason_code", NO_REASON), _illegal("running"), MOVED_MEANWHILE),
    ("POST", "/sessions/{id}/terminate"): (
        _invalid("reason_code", REQUIRED),
        _illegal("terminated"),
        MOVED_MEANWHILE,
    ),
    ("POST", "/sessions/{id}/message"): (
        _invalid("message", REQUIRED),
        replace(ILLEGAL_MOVE, code="nobody_there", detail="The session is expired; nobody would see the message."),
    ),
    ("POST", "/sessions/{id}/video"): (
        _invalid("file", "No file was submitted."),
        TOO_MANY_RECORDINGS,
        VIDEO_TOO_LARGE,
        NOT_A_VIDEO,
        TOO_MANY_AT_ONCE,
    ),
    ("POST", "/sessions/{id}/video/import"): (
        _invalid("filename", REQUIRED),
        UNSAFE_NAME,
        TOO_MANY_RECORDINGS,
        IMPORT_TOO_LARGE,
        NOT_A_VIDEO,
    ),
    ("GET", "/sessions/{id}/thumbnail"): (_invalid("at_s", "A valid number is required."), NO_PICTURE),
    ("GET", "/sessions/{id}/events/{event}/thumbnail"): (NO_PICTURE,),
    ("GET", "/sessions/{id}/recordings/{recording}/poster"): (NO_PICTURE,),
    ("POST", "/sessions/{id}/report/link"): (_invalid("format", '"pdf" is not a valid choice.'),),
}

#: The headers of a refusal beside those of HTTP itself.
_SECONDS = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}, "required": True}
OF_STATUS: Mapping[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    405: {"Allow": {"description": "The allowed methods.", "schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": _SECONDS},
}
SENTENCES: Mapping[int, str] = {
    400: "The request is not valid.",
    401: "The caller could not be identified.",
    403: "This is not allowed.",
    404: "It does not exist, or this caller may not see it.",
    405: "This path has no such method.",
    409: "This conflicts with what is already there.",
    413: "The request is too large.",
    415: "The content type is not accepted here.",
    429: "Too many calls from one address.",
    503: "It cannot be done now; try again in a few seconds. Often the database, the audit log or the storage is away.",
}
