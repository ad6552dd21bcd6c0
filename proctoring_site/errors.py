"""Which HTTP status: domain, request and framework errors become one JSON shape, {"detail", "code"} (+ "fields")."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import Resolver404
from django.views import defaults
from rest_framework import views
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.exceptions import PermissionDenied as APIPermissionDenied
from rest_framework.response import Response

from media_app import errors as media
from proctoring_site.access import links
from proctoring_site.calls.field_errors import by_field
from proctoring_site.calls.json_only import BodyTooLarge
from proctoring_site.calls.outage import RETRY_AFTER_S, try_again_page
from proctoring_site.calls.who_asks import wants_page
from sessions_app import errors as sessions
from sessions_app.errors import ProctoringError

logger = logging.getLogger(__name__)

#: Of a review's none: the desk answers those by its pages (desk/session_acts.py).
STATUS: Mapping[type[ProctoringError], int] = {
    sessions.SessionNotFound: 404,
    media.ImportFileNotFound: 404,
    media.NoPicture: 404,
    media.StoredFileNotFound: 404,
    media.UploadNotFound: 404,
    media.UnsafeFileName: 400,
    sessions.EventNotStorable: 400,
    sessions.IllegalMove: 409,
    sessions.NobodyThere: 409,
    sessions.SessionClosed: 409,
    sessions.TooManyCommands: 409,
    sessions.TooManyEvents: 409,
    sessions.EventIdConflict: 409,
    sessions.StartKeyConflict: 409,
    media.TooManyRecordings: 409,
    media.UploadBusy: 409,
    media.UploadFinished: 409,
    media.WrongOffset: 409,
    media.StrangeVersion: 412,
    sessions.EventUndecided: 503,
    sessions.MovedMeanwhile: 503,
    media.StorageFailed: 503,
    media.TooManyAtOnce: 503,
    media.UploadLost: 503,
    media.VideoTooLarge: 413,
    media.NotAVideo: 415,
    media.WrongChecksum: 460,  # tus's own
}


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's hook. None leaves the error to Django: a 503 for an outage, else a 500 with its trace in the log."""
    answer = _answer(error)
    if answer is None or answer.status_code not in PAGES or not wants_page(request := context["request"]._request):
        return answer
    return PAGES[answer.status_code](request, answer)


def _answer(error: Exception) -> Response | None:
    if isinstance(error, ProctoringError):
        status = STATUS.get(type(error), 400)
        if isinstance(error, media.StorageFailed):  # whoever runs this must see it, too, and why
            logger.warning("answered 503: %s", error)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
        return Response({"detail": str(error), "code": error.code}, status=status, headers=headers)
    api_error = _as_api_error(error)
    if api_error is None:
        return None
    answer = views.exception_handler(api_error, {})
    answer.data = _body(api_error)
    return answer


def _as_api_error(error: Exception) -> APIException | None:
    match error:
        case APIException():
            return error
        case Http404():
            return NotFound()
        case PermissionDenied():
            return APIPermissionDenied()
        case RequestDataTooBig():
            return BodyTooLarge()
        case SuspiciousOperation():
            return ValidationError("The request was refused.", code="bad_request")
    return None


def _body(error: APIException) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        if isinstance(error.detail, dict):
            return {"detail": "Some fields are not valid.", "code": "invalid", "fields": by_field(error.detail)}
        return {"detail": " ".join(map(str, error.detail)), "code": error.detail[0].code}
    return {"detail": str(error.detail), "code": error.detail.code}


# Django's own hooks (urls.py), for what never reaches a DRF view. The admin answers with pages, whatever is asked for.


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that leads nowhere has a code of its own: that a session is gone is not said behind a wrong proxy."""
    if request.path.startswith("/admin/") or wants_page(request):
        return not_found_page(request)
    if isinstance(exception, Resolver404):
        return JsonResponse({"detail": "There is no such address.", "code": "no_such_address"}, status=404)
    return JsonResponse({"detail": "Not found.", "code": "not_found"}, status=404)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """In the admin as in the API: what is not yours is not there."""
    return handler404(request, exception)


def not_found_page(request: HttpRequest) -> HttpResponse:
    """The same whether there is something or not; with the way to sign in for staff whose login has expired. Within the
    admin they are signed in: others were sent to do that."""
    facts = {"is_staffs": request.path.startswith("/admin/"), "has_link": links.PARAMETER in request.GET}
    return render(request, "proctoring_site/not_found.html", facts, status=404)


def _come_back(request: HttpRequest, answer: Response) -> HttpResponse:
    headers = {name: answer[name] for name in ("Retry-After",) if name in answer}
    return try_again_page(request, answer.data["detail"], status=answer.status_code, headers=headers)


#: Of the API's refusals, those that a person meets who follows a link.
PAGES: Mapping[int, Callable[[HttpRequest, Response], HttpResponse]] = {
    404: lambda request, answer: not_found_page(request),
    429: _come_back,
    503: _come_back,
}


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/admin/"):
        return render(request, "400.html", status=400)
    return JsonResponse({"detail": "The request was refused.", "code": "bad_request"}, status=400)


def handler500(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/admin/") or wants_page(request):
        return defaults.server_error(request)
    return JsonResponse(
        {"detail": "Something went wrong on the server; the error was logged.", "code": "server_error"}, status=500
    )
