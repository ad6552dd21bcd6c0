"""The sessions in the admin, whole: what reports_app knows to do with them is added to what sessions_app shows.

Registered by the review desk.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from proctoring_site.access.roles import Right, may
from reports_app import services
from sessions_app.admin import SessionAdmin
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from sessions_app.services import count_where_missing

#: In one request; for more there is the command.
REGENERATED_AT_ONCE = 200


class WholeSessionAdmin(SessionAdmin):
    actions = [*SessionAdmin.actions, "regenerate_reports"]

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return may(request.user, Right.DELETE)

    def has_regenerate_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.REGENERATE)

    @admin.action(description="Regenerate the reports of the selected sessions", permissions=["regenerate"])
    def regenerate_reports(self, request: HttpRequest, queryset: QuerySet) -> None:
        sessions = list(queryset[: REGENERATED_AT_ONCE + 1])
        if len(sessions) > REGENERATED_AT_ONCE:
            sentence = f"More than {REGENERATED_AT_ONCE} at once: use manage.py regenerate_reports. Nothing was done."
            self.message_user(request, sentence, messages.ERROR)
            return
        done = 0
        for session in sessions:
            with suppress(SessionNotFound):  # deleted in this moment
                services.regenerate(session)
                done += 1
        self.message_user(request, f"Sessions whose reports were regenerated: {done}.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Session) -> None:
        services.delete_session(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for session in queryset:
            services.delete_session(session)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Not into Django's own log: it would keep the name of the candidate. The audit log has the deletion."""

    def get_deleted_objects(self, objs: Iterable[Session], request: HttpRequest) -> tuple[list, dict, set, list]:
        """For the question whether to delete: counted, since a session may have thousands of events."""
        sessions = list(objs)
        count_where_missing(sessions)
        told = [f"{session}: {sum(session.counts.values())} events, {_files_of(session)}" for session in sessions]
        counted = {"sessions": len(sessions), "events": sum(sum(session.counts.values()) for session in sessions)}
        return told, counted, set(), []


def _files_of(session: Session) -> Any:
    return "video and reports" if session.video_name else "reports"
