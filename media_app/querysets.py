"""Which recordings are…? Every ordering here is one of the model's indexes."""

import re
from datetime import datetime
from typing import Any, Self

from django.db.models import QuerySet

#: What BSON can hold and a file name, too; a query for other text would fail.
STORABLE = re.compile(r"[^\x00/\\\ud800-\udfff]{1,120}")


class RecordingQuerySet(QuerySet):
    def of(self, session_id: str) -> Self:
        """Of one session, in the order in which they were begun."""
        return self.filter(session_id=session_id).order_by("created_at", "id")

    def unfinished_since(self, at: datetime) -> Self:
        """Uploads that nobody has gone on with for so long that they have expired."""
        return self.filter(state="receiving", expires_at__lt=at).order_by("expires_at", "id")

    def to_look_at(self) -> Self:
        """As the model's `is_to_look_at` says."""
        return self.filter(state="processing", reason=None).order_by("expires_at", "id")

    def named(self, name: str) -> Any:
        """The one that is served under this name, if any; whatever text somebody asks for."""
        return self.filter(name=name).first() if STORABLE.fullmatch(name) else None
