"""The page of one session: player, timeline, incidents, score, decision; what a reviewer does from it; and the link for
its candidate."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from proctoring_site.access import candidate_token
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.looks import record_look
from proctoring_site.audit.models import ObjectKind
from proctoring_site.desk import queue_next, session_acts, session_context
from proctoring_site.desk.session_acts import Answer
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from sessions_app.states import OPEN

#: What an answer to the page's script brings anew, each by the template of its name.
PARTS = ("head", "lanes", "marks", "incidents", "score", "decision", "notes", "history")


class SessionPage(admin.ModelAdmin):
    """What the desk adds to the page of a session; admin.py mixes it into the sessions of the admin."""

    def get_urls(self) -> list[URLPattern]:
        review, link = map(self.admin_site.admin_view, (self.review, self.link))
        return [
            path("<path:object_id>/review/", review, name="sessions_app_session_review"),
            path("<path:object_id>/link/", link, name="sessions_app_session_link"),
            *super().get_urls(),
        ]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.SEE_EVIDENCE, Right.DECIDE)

    def has_link_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.CREATE)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        session = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, session) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        if session is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        with _gone_is_not_found():
            return TemplateResponse(request, "desk/session/page.html", self._context(request, session))

    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a reviewer says of a session. A script asks for JSON and gets the parts of the page as they are now;
        a plain form gets the page again: with a message or, when it was refused, with what was typed."""
        session = self.get_queryset(request).filter(pk=unquote(object_id)).first()
        if session is None or not self.has_decide_permission(request):
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        with _gone_is_not_found():
            return self._carry_out(request, session)

    def link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shown in this answer alone. The token is behind the `#`, which no browser sends and no log has."""
        session = self.get_queryset(request).filter(pk=unquote(object_id)).first()
        if session is None or not self.has_link_permission(request) or not candidate_token.can_name(session.pk):
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        token, expires_at = candidate_token.issue_another(session.pk)
        told = {"session": session.pk, "token": token, "until": f"{expires_at:%Y-%m-%dT%H:%M:%SZ}"}
        facts = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "preserved_filters": self.get_preserved_filters(request),
            "media": self.media,
            "title": "Link for the candidate",
            "original": session,
            "is_open": session.state in OPEN,
            "url": request.build_absolute_uri(f"{reverse('candidate')}#{urlencode(told)}"),
            "expires_at": expires_at,
        }
        return TemplateResponse(request, "desk/session/link.html", facts)

    def _carry_out(self, request: HttpRequest, session: Session) -> HttpResponse:
        answer = session_acts.carry_out(session, request.POST, by=request.user)
        if not answer.is_done:  # what was done is recorded, and this shows the page as a look at it does
            record_look(ObjectKind.SESSION, session.pk)
        session.refresh()
        if request.headers.get("Accept") == "application/json":
            return self._answer(request, session, answer)
        if answer.is_done:
            self.message_user(request, answer.said, messages.SUCCESS)
            asked = {"incident": answer.picked} if answer.picked else {}
            query = {**asked, **queue_next.kept(request)}
            here = reverse("admin:sessions_app_session_change", args=[quote(session.pk)], query=query)
            return HttpResponseRedirect(here)
        context = self._context(request, session, answer)
        return TemplateResponse(request, "desk/session/page.html", context, status=answer.status)

    def _answer(self, request: HttpRequest, session: Session, answer: Answer) -> JsonResponse:
        context = self._context(request, session, replace(answer, form=None))  # the script keeps what was typed
        parts = {name: render_to_string(f"desk/session/{name}.html", context, request) for name in PARTS}
        picked = context["picked"].key if answer.picked and context["picked"] else None
        return JsonResponse({**answer.for_script(), "picked": picked, "parts": parts}, status=answer.status)

    def _context(self, request: HttpRequest, session: Session, answer: Answer | None = None) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            **session_context.of(request, session, answer, supervises=self.has_supervise_permission(request)),
            "opts": self.opts,
            "next_url": queue_next.url_of(request, session.pk),
            "preserved_filters": self.get_preserved_filters(request),
            "media": self.media,
            "title": session.shown_name,
            "report_links": self.report(session) if may(request.user, Right.SEE_REPORTS) else "",
            "has_delete_permission": self.has_delete_permission(request, session),
            "has_link_permission": self.has_link_permission(request),
            "can_be_linked": candidate_token.can_name(session.pk),
            "is_open": session.state in OPEN,
        }


@contextmanager
def _gone_is_not_found() -> Iterator[None]:
    """A session that somebody deletes while it is looked at or judged is a 404, as it is a moment later."""
    try:
        yield
    except SessionNotFound as error:
        raise Http404 from error
