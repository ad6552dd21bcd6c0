"""The audit log in the admin: searched, read and exported by whoever may see it, and changed by nobody."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from proctoring_site.admin_lists import NOTHING, ListedInItsOrder, ReadOnly, UncountedWhenUnfiltered, in_utc
from proctoring_site.audit import export, log
from proctoring_site.audit.actors import ActorKind
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind

LIST, EXPORT = "admin:audit_auditrecord_changelist", "admin:audit_auditrecord_export"
SEARCH_MAX_LENGTH = AuditRecord._meta.get_field("actor_name").max_length


class DayFilter(admin.ListFilter):
    """From a day to a day, both included, in UTC; either may be left open."""

    title = "day (UTC)"
    template = "audit/day_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type, model_admin: admin.ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            self.used_parameters[name] = params.pop(name, [""])[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:
        return ["from", "until"]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """One: what the form needs."""
        own = self.expected_parameters()
        kept = {name: value for name, value in changelist.params.items() if name not in {*own, PAGE_VAR}}
        yield {**self.used_parameters, "kept": kept, "any_day": changelist.get_query_string(remove=own)}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        try:
            if first := self.used_parameters["from"]:
                queryset = queryset.filter(at__gte=_midnight(first))
            if last := self.used_parameters["until"]:
                queryset = queryset.filter(at__lt=_midnight(last) + timedelta(days=1))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error
        return queryset


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time.min, UTC)


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnly, ListedInItsOrder, admin.ModelAdmin):
    list_display = ["instant", "who", "what", "which", "address", "request_id"]
    list_filter = ["action", "actor_kind", "object_kind", DayFilter]
    search_fields = ["actor_name", "object_id", "request_id"]
    search_help_text = (
        "A person's name, or the id of an object or a request, exactly; if there is none, whatever begins so"
    )
    ordering = ["-at", "-id"]
    list_per_page = 50
    list_max_show_all = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet would count the collection again
    paginator = UncountedWhenUnfiltered
    actions = None
    fields = ["instant", "who", "actor_id", "what", "which", "address", "request_id", "changed", "told"]
    readonly_fields = fields
    change_list_template = "audit/log.html"
    change_form_template = "audit/record.html"

    def get_urls(self) -> list[URLPattern]:
        exporting = self.admin_site.admin_view(require_GET(self.export_view))
        return [path("export/", exporting, name="audit_auditrecord_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        filters = request.GET.copy()
        filters.pop(PAGE_VAR, None)
        export_url = f"{reverse(EXPORT)}?{filters.urlencode()}"
        return super().changelist_view(request, {**(extra_context or {}), "export_url": export_url})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is filtered, all pages of it, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            records = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(f"{reverse(LIST)}?e=1")
        log.record(Action.EXPORTED, ObjectKind.AUDIT_LOG, filters=dict(request.GET.items()))
        name = f"audit-log-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(
            export.csv_pieces(records), content_type="text/csv; charset=utf-8", headers=headers
        )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Exact first: equal values stand in the indexes in the order of the list, so that the first page is read and
        no more. A beginning is a range, which must be read and sorted whole."""
        term = search_term.strip()[:SEARCH_MAX_LENGTH]
        if not term:
            return queryset, False
        exact = queryset.filter(Q(actor_name=term) | Q(object_id=term) | Q(request_id=term))
        if exact.exists():
            return exact, False
        return queryset.filter(Q(actor_name__startswith=term) | Q(object_id__startswith=term)), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What `list_filter` asks. A pattern of one's own (`actor_name__regex=(`) could fail or load the server."""
        return lookup in {"action__exact", "actor_kind__exact", "object_kind__exact", "from", "until"}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict | None = None) -> HttpResponse:
        raise Http404("A record never changes.")

    instant = in_utc("at", "when")

    @admin.display(description="who")
    def who(self, record: AuditRecord) -> str:
        if record.actor_kind == ActorKind.USER:
            return record.actor_name
        kind = record.get_actor_kind_display()
        return f"{record.actor_name} ({kind.lower()})" if record.actor_name else kind

    @admin.display(description="what")
    def what(self, record: AuditRecord) -> str:
        return record.get_action_display()

    @admin.display(description="which")
    def which(self, record: AuditRecord) -> SafeString | str:
        if not record.object_id:
            return record.get_object_kind_display() or NOTHING
        return format_html('{} <span class="audit-id">{}</span>', record.get_object_kind_display(), record.object_id)

    @admin.display(description="changes")
    def changed(self, record: AuditRecord) -> SafeString | str:
        changes = [(field, *map(in_words, pair)) for field, pair in record.changes.items()]
        return render_to_string("audit/changes.html", {"changes": changes}) if changes else NOTHING

    @admin.display(description="details")
    def told(self, record: AuditRecord) -> SafeString | str:
        details = [(name, in_words(value)) for name, value in record.details.items()]
        return render_to_string("audit/details.html", {"details": details}) if details else NOTHING

    class Media:
        css = {"all": ["audit/audit.css"]}


def in_words(value: Any) -> str:
    """A stored value for people; none, and none of many, as a dash."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(in_words, value)) or NOTHING
    return NOTHING if value is None or value == "" else str(value)
