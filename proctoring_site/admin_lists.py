"""What the admin's lists of large collections share, and what it shows and nobody edits."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.admin import ModelAdmin, display
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.text import capfirst

COUNTED_UP_TO = 10_000  # takes some 6 ms
NOTHING = "–"
TO_THE_MINUTE = "%Y-%m-%d %H:%M"


def in_utc(
    field: str, said: str, *, layout: str = "%Y-%m-%d %H:%M:%S", ordering: str | None = None
) -> Callable[[ModelAdmin, Model], str]:
    """A column of an instant, which the model has under this name."""

    @display(description=f"{said} (UTC)", ordering=ordering)
    def column(model_admin: ModelAdmin, row: Model) -> str:
        at = getattr(row, field)
        return at.strftime(layout) if at else NOTHING

    return column


class InItsOrder(ChangeList):
    """In the order of its admin, which an index has. Django would follow an address that asks for another (`?o=4`),
    also where `sortable_by` makes no links of the headers."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> Sequence[str]:
        return self.model_admin.get_ordering(request)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.show_admin_actions = bool(self.result_count)  # there is nothing to do to nothing


class ListedInItsOrder:
    """For a ModelAdmin, before it."""

    sortable_by = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Under its own name: "Select job to view" says nothing to somebody who came to look."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InItsOrder


class ReadOnly:
    """For a ModelAdmin, before it: Django's own forms add, change and delete nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class UncountedWhenUnfiltered(Paginator):
    """Takes the size of a large collection from its metadata; a small one and a filtered list are really counted.

    Counted, since the metadata of a server without a replica set may say 0 after a kill, and the list would be empty.
    """

    @cached_property
    def count(self) -> int:
        if not self.object_list.query.where:
            table = self.object_list.model._meta.db_table
            estimate = connection.get_collection(table).estimated_document_count()
            if estimate > COUNTED_UP_TO:
                return estimate
        return super().count
