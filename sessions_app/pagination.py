"""Pages of a bare array: keyset cursors in an RFC 8288 Link header, so that the millionth page costs as the first."""

from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from proctoring_site import keyset
from proctoring_site.mongo_engine.instants import MILLISECOND, instant_of
from sessions_app.listing import Page, page_for
from sessions_app.querysets import NEWEST_FIRST

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NewestFirst(BasePagination):
    """Sessions after the cursor's, newest first (listing.py); adopted ones without a start come last."""

    default_limit = 100
    max_limit = 1000

    def page(self, request: Request, **filters: Any) -> Page:
        """Raises ValidationError for a limit or a cursor that is none."""
        asked = request.query_params
        limit, cursor = self._limit(asked.get("limit")), asked.get("cursor")
        return page_for(request.user, limit=limit, after=parts_after(cursor) if cursor else (), **filters)

    def link_of(self, page: Page, request: Request) -> str | None:
        """To what comes after the page, when something does."""
        if page.last is None:
            return None
        cursor = cursor_of(instant_of(page.last.get("start_time")), page.last["_id"])
        url = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        return f'<{url}>; rel="next"'

    def get_schema_operation_parameters(self, view: APIView) -> list[dict]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit},
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "From the `Link` header of the page before.",
                "schema": {"type": "string"},
            },
        ]

    def _limit(self, raw: str | None) -> int:
        if raw is None:
            return self.default_limit
        if not (raw.isascii() and raw.isdigit() and len(raw) <= 4 and 1 <= int(raw) <= self.max_limit):
            raise ValidationError({"limit": [f"Must be a whole number from 1 to {self.max_limit}."]})
        return int(raw)


def cursor_of(start_time: datetime | None, pk: str) -> str:
    start = "" if start_time is None else (start_time - EPOCH) // MILLISECOND
    return urlsafe_b64encode(f"{start}/{pk}".encode()).decode().rstrip("=")


def parts_after(cursor: str) -> list[Q]:
    """The rows that come after the cursor's row. Raises ValidationError for a cursor not ours."""
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        start, _, pk = raw.partition("/")
        start_time = EPOCH + int(start) * MILLISECOND if start else None
        if not pk:
            raise ValueError("no session is named")
    except (ValueError, OverflowError) as error:
        raise ValidationError({"cursor": ["Not a cursor for this list."]}) from error
    return list(keyset.parts_after(NEWEST_FIRST, [start_time, pk]))
