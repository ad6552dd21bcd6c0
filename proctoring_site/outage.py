"""When the database is away: 503 with Retry-After for API and admin alike, and service again when it is back."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from pymongo.errors import ConnectionFailure, PyMongoError

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
SENTENCE = "The database cannot be reached at the moment. Nothing was lost; try again in a few seconds."


def is_outage(error: BaseException | None) -> bool:
    """True when the error, or one it came from, says that the server is away, frozen or changing its primary."""
    while error is not None:
        if isinstance(error, ConnectionFailure) or (isinstance(error, PyMongoError) and error.timeout):
            return True
        error = error.__cause__ or error.__context__
    return False


def outage_response(request: HttpRequest) -> HttpResponse:
    logger.error("database unreachable, answered 503 to %s", request.method)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        page = (
            f"<!doctype html><meta charset=utf-8><title>Try again soon</title><h1>Try again soon</h1><p>{SENTENCE}</p>"
        )
        return HttpResponse(page, status=503, headers=headers)
    return JsonResponse({"detail": SENTENCE, "code": "database_unavailable"}, status=503, headers=headers)


class DatabaseOutageMiddleware:
    """Answers for views. What fails inside other middleware (the admin's login) reaches `errors.handler500`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return outage_response(request) if is_outage(exception) else None
