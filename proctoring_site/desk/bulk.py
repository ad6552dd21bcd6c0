"""What is done to many sessions at once: assigning, and after being asked, passing those that are clean, and what their
candidates notice."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from proctoring_site.access.roles import Right, may
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.desk import queue_next
from proctoring_site.desk.queue_filters import may_review
from sessions_app import acts
from sessions_app.errors import ProctoringError
from sessions_app.review import assignment, policies
from sessions_app.review.models import REASON_MAX_LENGTH
from sessions_app.states import State

LIST = "admin:sessions_app_session_changelist"
#: In one request: each is looked at again and decided on by itself, which takes some 20 ms.
PASSED_AT_ONCE = ASKED_AT_ONCE = 200
NAMED_MAX = 20
ME, NOBODY = "me", "nobody"
_WAITS = "These candidates have to wait until somebody resumes their sessions."
_GOES_ON = "These candidates can continue with the exam."
_IS_OVER = "The exam ends for each of these candidates. This cannot be undone."
#: action → the verb, from which state (None: any open one), what the session then is, what that is to its candidate.
QUESTIONS: Mapping[str, tuple[str, State | None, str, str]] = {
    "pause_sessions": ("pause", State.RUNNING, "paused", _WAITS),
    "resume_sessions": ("resume", State.PAUSED, "resumed", _GOES_ON),
    "end_sessions": ("end", None, "ended", _IS_OVER),
}
#: Of the clean ones, those of which it is known how much was watched.
WATCHED = "watched"
#: By the id of a session, the field of the list that says to whom it was assigned as it was shown.
HAD = "had-{}"


def assign_choices() -> list[tuple[str, str]]:
    """To whom the list offers to assign; the page of a session knows everybody."""
    groups = Group.objects.filter(permissions__codename="decide_session").order_by("name")
    names = dict.fromkeys(group.name for group in groups)
    return [(ME, "me"), *((f"{assignment.GROUP_PREFIX}{name}", f"group {name}") for name in names), (NOBODY, "nobody")]


def assign(request: HttpRequest, queryset: QuerySet, *, desk: ModelAdmin) -> None:
    told = request.POST.get("assign_to", "")
    to = {ME: request.user.get_username(), NOBODY: None}.get(told, told)
    sessions = list(queryset[: assignment.AT_ONCE_MAX + 1])
    if len(sessions) > assignment.AT_ONCE_MAX:
        sentence = f"Select at most {assignment.AT_ONCE_MAX} sessions at once. Nothing was done."
        desk.message_user(request, sentence, messages.ERROR)
        return
    had = {session.pk: request.POST.get(HAD.format(session.pk)) for session in sessions}
    shown = {pk: name or None for pk, name in had.items() if name is not None}  # the list of all sessions shows none
    try:
        done = assignment.assign_many(sessions, to, by=request.user, shown=shown)
    except ProctoringError as error:
        desk.message_user(request, str(error), messages.ERROR)
        return
    whom = "nobody" if to is None else to.removeprefix(assignment.GROUP_PREFIX)
    level = messages.SUCCESS if done.done else messages.WARNING
    desk.message_user(request, f"Sessions assigned to {whom}: {done.done}.", level)
    _tell_refused(request, len(done.refused), desk=desk)


def ask_to_pass(request: HttpRequest, queryset: QuerySet, *, desk: ModelAdmin) -> HttpResponse:
    """The page that says how many of these are clean, and asks."""
    clean = list(assignment.clean_among(queryset)[: PASSED_AT_ONCE + 1])
    asked = clean[:PASSED_AT_ONCE]
    record(Action.LISTED, ObjectKind.SESSION, filters=["clean"], sessions=[session.pk for session in asked])
    policy, unknown = policies.in_use(), sum(session.covered is None for session in asked)
    facts: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": "Pass clean sessions",
        "sessions": asked,
        "named": asked[:NAMED_MAX],
        "unnamed": max(len(asked) - NAMED_MAX, 0),
        "unknown": unknown,
        "watched": len(asked) - unknown,
        "is_cut": len(clean) > len(asked),
        "policy": policy,
        "reason_max": REASON_MAX_LENGTH,
        **_asked_from(request, desk=desk),
        "media": desk.media,
    }
    return TemplateResponse(request, "desk/pass_clean.html", facts)


def pass_clean(request: HttpRequest, *, desk: Any) -> HttpResponse:
    """By GET the question, for all of the list as it is filtered; by POST the deed, for those that were shown."""
    if not (may_review(request.user) and may(request.user, Right.DECIDE)):
        raise Http404
    if request.method != "POST":
        try:
            return ask_to_pass(request, desk.get_changelist_instance(request).queryset, desk=desk)
        except IncorrectLookupParameters:
            return redirect(f"{reverse(LIST)}?e=1")
    reason = request.POST.get("reason", "")
    if len(reason) > REASON_MAX_LENGTH:  # it is kept with each of them
        sentence = f"A reason has at most {REASON_MAX_LENGTH} characters. Nothing was done."
        desk.message_user(request, sentence, messages.ERROR)
        return redirect(f"{reverse(LIST)}{_back(request)}")
    wanted = request.POST.getlist("session")[:PASSED_AT_ONCE]
    covered = dict(desk.get_queryset(request).filter(pk__in=wanted).values_list("pk", "covered"))
    if request.POST.get("which") == WATCHED:
        covered = {pk: share for pk, share in covered.items() if share is not None}
    done = assignment.pass_clean([pk for pk in wanted if pk in covered], by=request.user, reason=reason)
    desk.message_user(request, f"Sessions passed: {done.done}.", messages.SUCCESS if done.done else messages.WARNING)
    _tell_refused(request, len(done.refused), desk=desk)
    return redirect(f"{reverse(LIST)}{_back(request)}")


def ask_first(request: HttpRequest, queryset: QuerySet, *, action: str, desk: Any) -> HttpResponse | None:
    """The page that says to whom it would be done, and asks; those alone are sent, and then it is done to them."""
    verb, state, done, meaning = QUESTIONS[action]
    if request.POST.get("post"):
        return desk.do_to_each(request, queryset.open(), acts.ACTS[verb][2], f"Sessions {done}")
    possible = list((queryset.in_state(state) if state else queryset.open())[: ASKED_AT_ONCE + 1])
    asked = possible[:ASKED_AT_ONCE]
    record(Action.LISTED, ObjectKind.SESSION, filters=["open"], sessions=[session.pk for session in asked])
    facts: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": f"{verb.capitalize()} sessions",
        "action": action,
        "verb": verb.capitalize(),
        "done": done,
        "meaning": meaning,
        "sessions": asked,
        "is_cut": len(possible) > len(asked),
        **_asked_from(request, desk=desk),
        "media": desk.media,
    }
    return TemplateResponse(request, "desk/ask_first.html", facts)


def _tell_refused(request: HttpRequest, count: int, *, desk: ModelAdmin) -> None:
    if count:
        sentence = f"Left as they are, because they changed in the meantime: {count}."
        desk.message_user(request, sentence, messages.WARNING)


def _asked_from(request: HttpRequest, *, desk: ModelAdmin) -> dict[str, Any]:
    """For the links of a page that asks: back to the list, and to sessions as from that list."""
    filters = request.GET.urlencode()
    kept = urlencode({queue_next.FILTERS: filters}) if filters else ""
    return {"back": _back(request), "opts": desk.opts, "preserved_filters": kept}


def _back(request: HttpRequest) -> str:
    """The list as it was filtered: its query alone, so that it leads nowhere else."""
    query = request.GET.urlencode()
    return f"?{query}" if query else ""
