"""The live board: who sits now, where to look first, and what may be asked of them. Refreshed by a cheap poll."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Lock
from typing import Any

import orjson
from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotModified
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from proctoring_site.access.roles import Right, may, may_see_sessions
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.desk import board
from proctoring_site.mongo_engine.documents import documents_of
from sessions_app import acts, scoring
from sessions_app.models import Session, now
from sessions_app.policy import active_policy
from sessions_app.review.models import Allowance
from sessions_app.serializers import TO_CANDIDATE_MAX_LENGTH
from sessions_app.states import ReasonCode

REFRESH_EVERY_S = 3
#: Logins whose board this process remembers; who is forgotten is recorded once more.
WATCHERS_MAX = 1000


def urls(desk: ModelAdmin) -> list[URLPattern]:
    views: Iterable[tuple[str, Callable[..., HttpResponse], str]] = (
        ("live/", page, "sessions_app_session_live"),
        ("live/state/", state, "sessions_app_session_live_state"),
        ("live/act/", act, "sessions_app_session_live_act"),
    )
    return [path(route, desk.admin_site.admin_view(partial(view, desk=desk)), name=name) for route, view, name in views]


def may_watch(user: Any) -> bool:
    """The board tells what was seen, and its order tells it too: an Operator has the list instead."""
    return may(user, Right.SEE_EVIDENCE) and may_see_sessions(user)


def page(request: HttpRequest, *, desk: ModelAdmin) -> HttpResponse:
    """The frame; what stands in it comes by `state`."""
    _demand_watcher(request)
    facts = {
        **desk.admin_site.each_context(request),
        "title": "Live board",
        "notice": scoring.FLAGS_ARE_NOT_FINDINGS,
        "counts_otherwise": not active_policy().is_plain,
        "refresh_ms": REFRESH_EVERY_S * 1000,
        "may_act": may(request.user, Right.SUPERVISE),
        "sessions": reverse("admin:sessions_app_session_changelist"),
        "reasons": _reasons(),
        "words_max": TO_CANDIDATE_MAX_LENGTH,
        "shown_max": board.SESSIONS_MAX,
        "kinds": board.KINDS,
    }
    return TemplateResponse(request, "desk/live.html", facts)


def state(request: HttpRequest, *, desk: ModelAdmin) -> HttpResponse:
    """The board as JSON, or 304 when it is as it was. One query and one more for what people allowed, if anybody did;
    beside those for the login and its rights."""
    _demand_watcher(request)
    open_sessions = Session.objects.visible_to(request.user).open().newest_first()
    documents = documents_of(open_sessions[: board.SESSIONS_MAX + 1], *board.FIELDS)
    told = board.board_of(documents, policy=active_policy(), allowed=_allowed(documents), at=now())
    told["verbs"] = board.verbs_by_state() if may(request.user, Right.SUPERVISE) else {}
    body = orjson.dumps(told, str, orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    known = request.headers.get("If-None-Match")
    _record_looks(request, [each["id"] for each in told["sessions"]], goes_on=known is not None)
    headers = {"ETag": etag}
    if known == etag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


def _allowed(documents: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Exempt event types by session, of those about which people said anything."""
    touched = [document["_id"] for document in documents if document.get("review_revision")]
    allowed: dict[str, set[str]] = {}
    if touched:
        for row in documents_of(Allowance.objects.in_force_for(touched), "session_id", "event_type"):
            allowed.setdefault(row["session_id"], set()).add(row["event_type"])
    return allowed


def act(request: HttpRequest, *, desk: ModelAdmin) -> HttpResponse:
    """Pause, resume, message, terminate; an illegal move says why, with 409, and changes nothing."""
    _demand_watcher(request)
    if not may(request.user, Right.SUPERVISE):
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    session = Session.objects.visible_to(request.user).filter(pk=request.POST.get("session", "")).first()
    if session is None:
        return _told("The session is no longer open.", status=404)
    if request.POST.get("verb") not in board.VERBS:
        return _told("There is no such action.", status=400)
    done, sentence = acts.carry_out(session, request.POST)
    return _told(sentence, status=200 if done else 409)


def _told(sentence: str, *, status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps({"detail": sentence}), content_type="application/json", status=status)


def _demand_watcher(request: HttpRequest) -> None:
    if not may_watch(request.user):
        raise Http404


def _reasons() -> dict[str, list[tuple[str, str]]]:
    """The reason codes by their groups, for people: environment → [(environment.noise, noise), …]."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for code in ReasonCode.values:
        group, _, said = code.partition(".")
        groups.setdefault(group, []).append((code, (said or group).replace("_", " ")))
    return groups


_recorded: OrderedDict[str, set[str]] = OrderedDict()
_recorded_lock = Lock()


def _record_looks(request: HttpRequest, shown: list[str], *, goes_on: bool) -> None:
    """In the audit log each session once per opened board, and not once per poll: a poll that goes on records what
    this process did not show to this login before."""
    key = request.session.session_key or ""
    with _recorded_lock:
        before = _recorded.get(key, set()) if goes_on else set()
        new = [pk for pk in shown if pk not in before]
    if new or not goes_on:
        record(Action.LISTED, ObjectKind.SESSION, filters=["live"], sessions=new)
    with _recorded_lock:
        _recorded[key] = before | set(shown)
        _recorded.move_to_end(key)
        while len(_recorded) > WATCHERS_MAX:
            _recorded.popitem(last=False)
