"""From a session to what is to be reviewed next, by the list that it was opened from."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote, unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from proctoring_site import keyset
from proctoring_site.desk.queue_filters import may_review
from sessions_app.querysets import QUEUE_ORDER

NAME = "sessions_app_session_next"
LIST = "admin:sessions_app_session_changelist"
FILTERS = "_changelist_filters"


def url_of(request: HttpRequest, session_id: str) -> str | None:
    """For the page of a session, which was opened from a list; None for who has no queue."""
    if not may_review(request.user):
        return None
    return f"{reverse(f'admin:{NAME}', args=[quote(session_id)])}?{request.GET.get(FILTERS, '')}"


def kept(request: HttpRequest) -> dict[str, str]:
    """What the links of a session's page to itself go on to say: which list it was opened from."""
    return {FILTERS: asked} if (asked := request.GET.get(FILTERS)) else {}


@require_GET
def go(request: HttpRequest, object_id: str, *, desk: Any) -> HttpResponse:
    """What follows it of what nobody decided on; after the last, or once it was decided itself, the first of that."""
    session = desk.get_queryset(request).filter(pk=unquote(object_id)).first()
    if session is None or not may_review(request.user):
        raise Http404
    try:
        waiting = desk.get_changelist_instance(request).queryset.undecided().exclude(pk=session.pk)
    except IncorrectLookupParameters:
        return redirect(f"{reverse(LIST)}?e=1")
    place = None if session.queue_rank is None else [session.queue_rank, session.start_time, session.pk]
    found = keyset.rows_after(waiting, QUEUE_ORDER, place, count=1) or waiting.order_by(*QUEUE_ORDER)[:1]
    filters = request.GET.urlencode()
    if not found:
        desk.message_user(request, "No other session in this list is waiting for a decision.", messages.INFO)
        return redirect(f"{reverse(LIST)}?{filters}")
    there = reverse("admin:sessions_app_session_change", args=[quote(found[0].pk)])
    return redirect(f"{there}?{urlencode({FILTERS: filters})}" if filters else there)
