"""Which rows are…? Every ordering here is exactly one of the models' indexes."""

from collections.abc import Iterable
from typing import Self

from django.db.models import QuerySet


class NoteQuerySet(QuerySet):
    def of(self, session_id: str) -> Self:
        return self.filter(session_id=session_id).order_by("at", "id")


class AllowanceQuerySet(QuerySet):
    def in_force_for(self, session_ids: Iterable[str]) -> Self:
        return self.filter(session_id__in=list(session_ids), is_revoked=False).order_by("session_id", "id")


class ReviewEntryQuerySet(QuerySet):
    def of(self, session_id: str) -> Self:
        """The whole history, oldest first."""
        return self.filter(session_id=session_id).order_by("at", "id")

    def since(self, session_id: str, revision: int) -> Self:
        """What people changed after this revision, in order."""
        return self.filter(session_id=session_id, revision__gt=revision).order_by("session_id", "revision")


class PolicyRunQuerySet(QuerySet):
    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def unfinished(self, kind: str, policy_version: int) -> Self:
        return self.filter(kind=kind, policy_version=policy_version, finished_at__isnull=True).newest_first()
