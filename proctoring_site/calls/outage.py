"""When the database is away: 503 with Retry-After for API and admin alike, and service again when it is back."""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pymongo
from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from proctoring_site.audit.errors import AuditFailed
from proctoring_site.calls.who_asks import wants_page
from proctoring_site.mongo_engine.away import is_away, origins, refuses_login, why_away

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
SENTENCE = "The database cannot be reached at the moment; try again in a few seconds."
#: How the paths of POST routes end that need a few documents, whatever the session's size. A client's loop sends them
#: again, so it is better told soon than answered late (docs/decisions/2026-11-24-frozen-database.md). Reads, ends and
#: videos may take longer. By the path, since the route is not known yet when the first query is made.
SHORT_WRITES = frozenset({"sessions", "events", "batch", "heartbeat", "pause", "resume", "message"})


def is_outage(error: BaseException | None) -> bool:
    """True when the error, or one it came from, says that the server is away, frozen, changing its primary, or that it
    takes no audit record: what cannot be recorded is not done, and may be tried again."""
    return is_away(error) or any(isinstance(one, AuditFailed) for one in origins(error))


def _stands_in_the_way(error: BaseException | None) -> bool:
    return is_outage(error) or refuses_login(error)


def outage_response(request: HttpRequest, error: BaseException) -> HttpResponse:
    logger.error("database unreachable (%s), answered 503 to %s", why_away(error), request.method)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if wants_page(request):
        return try_again_page(request, SENTENCE, status=503, headers=headers)
    return JsonResponse({"detail": SENTENCE, "code": "database_unavailable"}, status=503, headers=headers)


def try_again_page(request: HttpRequest, sentence: str, *, status: int, headers: Mapping[str, str]) -> HttpResponse:
    facts = {"sentence": sentence, "may_reload": request.method in ("GET", "HEAD")}
    page = render_to_string("proctoring_site/try_again.html", facts)  # without the request: its user is in there
    return HttpResponse(page, status=status, headers=headers)


@receiver(got_request_exception)
def note_outage(request: HttpRequest, **kwargs: Any) -> None:
    """Django answers what fails in a middleware at once, with a 500; this is where its reason can still be seen."""
    error = sys.exc_info()[1]
    request.met_outage = error if _stands_in_the_way(error) else None


class DatabaseOutageMiddleware:
    """Answers for views, and in place of the 500 of any middleware within; only the access log is further out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with _limit(request):
            response = self.get_response(request)
        error = getattr(request, "met_outage", None)
        return outage_response(request, error) if error else response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return outage_response(request, exception) if _stands_in_the_way(exception) else None


def _limit(request: HttpRequest) -> AbstractContextManager[None]:
    """For all that the request asks of the database together; a group commit ends with its leader's limit."""
    if request.method == "POST" and request.path_info.rpartition("/")[2] in SHORT_WRITES:
        request.database_limit = limit = _ShortWrite()
        return limit
    return nullcontext()


class _ShortWrite:
    """SHORT_WRITE_LIMIT_S, of which a slow client's body takes nothing: whoever reads that has it `begin_again`."""

    def __enter__(self) -> None:
        self._running = pymongo.timeout(settings.SHORT_WRITE_LIMIT_S)
        self._running.__enter__()

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)

    def begin_again(self) -> None:
        self.__exit__(None, None, None)
        self.__enter__()
