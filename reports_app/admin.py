"""The sessions in the admin, whole: what reports_app knows to do with them is added to what sessions_app shows.

Registered by the review desk.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from proctoring_site.access.roles import Right, may
from reports_app import services
from sessions_app.admin import SessionAdmin
from sessions_app.errors import ProctoringError
from sessions_app.models import Session
from sessions_app.services import count_where_missing

#: In one request; for more there is the command.
REGENERATED_AT_ONCE = 200


class WholeSessionAdmin(SessionAdmin):
    actions = ["regenerate_reports", "delete_selected"]

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return may(request.user, Right.DELETE)

    def has_regenerate_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.REGENERATE)

    @admin.action(description="Regenerate the reports of the selected sessions", permissions=["regenerate"])
    def regenerate_reports(self, request: HttpRequest, queryset: QuerySet) -> None:
        sessions = list(queryset[: REGENERATED_AT_ONCE + 1])
        if len(sessions) > REGENERATED_AT_ONCE:
            sentence = f"Select at most {REGENERATED_AT_ONCE}, or use manage.py regenerate_reports. Nothing was done."
            self.message_user(request, sentence, messages.ERROR)
            return
        self.do_to_each(request, sessions, services.regenerate, "Sessions whose reports were regenerated")

    @admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Django's own asks, and would say of all that they are deleted."""
        if not request.POST.get("post"):
            return delete_selected(self, request, queryset)
        self.do_to_each(request, queryset, services.delete_session, "Sessions deleted")
        return None

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProctoringError as error:  # what is left of it can be deleted again
            self.message_user(request, f"It was not deleted, or not completely: {error}", messages.ERROR)
            return redirect("admin:sessions_app_session_change", object_id)

    def delete_model(self, request: HttpRequest, obj: Session) -> None:
        services.delete_session(obj)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Not into Django's own log: it would keep the name of the candidate. The audit log has the deletion."""

    def get_deleted_objects(self, objs: Iterable[Session], request: HttpRequest) -> tuple[list, dict, set, list]:
        """For the question whether to delete: counted, since a session may have thousands of events; and not counted
        for those from whom the list hides how many there are."""
        sessions = list(objs)
        told: dict[str, Any] = {"sessions": len(sessions)}
        sees_evidence = may(request.user, Right.SEE_EVIDENCE)
        if sees_evidence:
            count_where_missing(sessions)
            told["events"] = sum(sum(session.counts.values()) for session in sessions)
        return [f"{session}: {_what_goes(session, sees_evidence)}" for session in sessions], told, set(), []


def _what_goes(session: Session, sees_evidence: bool) -> str:
    """And what does not: the file of an adopted path may be anybody's, and who deletes has to know of it."""
    video = session.video_name
    stays = bool(video) and not video.startswith(f"{session.pk}.")
    files = "video, reports" if video and not stays else "reports"
    n = sum(session.counts.values())
    goes = f"{n} event{'' if n == 1 else 's'}, {files}" if sees_evidence else "events, recordings, reports"
    goes += " and the history of its review"
    return f"{goes}; its video {video} stays, because the file is not named after the session" if stays else goes
