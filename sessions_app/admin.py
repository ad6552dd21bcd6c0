"""Review in the admin: which sessions, how they stand, what is behind the number. Evidence cannot be edited."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app import scoring, services
from sessions_app.models import CANDIDATE_NAME_MAX_LENGTH, Session, State

EVENTS_PER_PAGE = 200
COUNTED_UP_TO = 10_000  # takes some 6 ms
NOTHING = "–"
FILTER_PARAMETERS = {"state", "band", "video", "start_time__gte", "start_time__lt", "start_time__isnull"}


class UncountedWhenUnfiltered(Paginator):
    """Takes the size of a large collection from its metadata; a small one and a filtered list are really counted.

    Counted, since the metadata of a server without a replica set may say 0 after a kill, and the list would be empty.
    """

    @cached_property
    def count(self) -> int:
        if not self.object_list.query.where:
            estimate = connection.get_collection(Session._meta.db_table).estimated_document_count()
            if estimate > COUNTED_UP_TO:
                return estimate
        return super().count


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.matching(state=self.value()) if self.value() in State.values else queryset


class BandFilter(admin.SimpleListFilter):
    title = "risk band"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(name, name) for name, _ in scoring.BANDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in dict(scoring.BANDS):
            return queryset
        return queryset.in_band(self.value(), policy=services.active_policy())


class VideoFilter(admin.SimpleListFilter):
    title = "video"
    parameter_name = "video"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [("yes", "has a video"), ("no", "has none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "yes":
                return queryset.with_video()
            case "no":
                return queryset.without_video()
        return queryset


def _shown(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else NOTHING


class SessionChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except OverflowError as error:  # a date in the URL that has no place in UTC
            raise IncorrectLookupParameters from error
        self.result_list = list(self.result_list)
        services.count_where_missing(self.result_list)  # adopted sessions, once, two queries for the page


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):
    list_display = ["name", "started", "shown_state", "integrity_score", "risk_band", "events", "video", "report"]
    list_display_links = ["name"]
    list_filter = [StateFilter, BandFilter, VideoFilter, "start_time"]
    search_fields = ["candidate_name", "id__startswith"]
    search_help_text = "Part of a candidate's name, or the beginning of a session id"
    ordering = ["-start_time", "-id"]
    sortable_by = ["started"]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet would count the collection again
    paginator = UncountedWhenUnfiltered
    fields = [
        "id",
        "candidate_name",
        "shown_state",
        "started",
        "ended",
        "duration",
        "video",
        "report",
        "score_table",
    ]
    readonly_fields = fields
    change_form_template = "sessions_app/session.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SessionChangeList]:
        return SessionChangeList

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        return super().get_search_results(request, queryset, search_term[:CANDIDATE_NAME_MAX_LENGTH])

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Session | None:
        session = super().get_object(request, object_id, from_field)
        if session is not None:
            services.count_where_missing([session])
        return session

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None
    ) -> Any:
        session = self.get_object(request, object_id)
        if session is not None:
            rows = Paginator(session.events.in_order(), EVENTS_PER_PAGE)
            rows.count = sum(session.counts.values())
            extra_context = {**(extra_context or {}), "event_page": rows.get_page(request.GET.get("events"))}
        return super().change_view(request, object_id, form_url, extra_context)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What `list_filter` asks. A pattern of one's own (`candidate_name__regex=(`) could fail or load the server."""
        return lookup in FILTER_PARAMETERS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False

    @admin.display(description="candidate")
    def name(self, session: Session) -> str:
        return session.candidate_name or "(no name)"

    @admin.display(description="started (UTC)", ordering="start_time")
    def started(self, session: Session) -> str:
        return _shown(session.start_time)

    @admin.display(description="ended (UTC)")
    def ended(self, session: Session) -> str:
        return _shown(session.end_time)

    @admin.display(description="state")
    def shown_state(self, session: Session) -> str:
        return session.state.label

    @admin.display(description="integrity score")
    def integrity_score(self, session: Session) -> int:
        return services.score(session).integrity_score

    @admin.display(description="risk band")
    def risk_band(self, session: Session) -> SafeString:
        band = services.score(session).risk_band
        return format_html('<span class="band band-{}">{}</span>', band, band)

    @admin.display(description="events")
    def events(self, session: Session) -> int:
        return sum(session.counts.values())

    @admin.display(description="duration")
    def duration(self, session: Session) -> str:
        minutes, seconds = divmod(session.duration_s, 60)
        return f"{minutes} min {seconds} s" if session.end_time else NOTHING

    @admin.display(description="video")
    def video(self, session: Session) -> SafeString | str:
        if session.video_name is None:
            return NOTHING
        return format_html('<a href="{}">watch</a>', reverse("stored-video", args=[session.video_name]))

    @admin.display(description="report")
    def report(self, session: Session) -> SafeString | str:
        try:
            links = [reverse(f"session-report-report{suffix}", args=[session.pk]) for suffix in ("-html", "-csv", "")]
        except NoReverseMatch:  # an adopted id that no address can hold
            return NOTHING
        return format_html(
            '<span class="review-links"><a href="{}">page</a> · <a href="{}">CSV</a> · <a href="{}">JSON</a></span>',
            *links,
        )

    @admin.display(description="integrity score")
    def score_table(self, session: Session) -> SafeString:
        facts = {"score": services.score(session), "notice": scoring.FLAGS_ARE_NOT_FINDINGS, "full": scoring.FULL_SCORE}
        return render_to_string("sessions_app/score.html", facts)

    class Media:
        css = {"all": ["sessions_app/review.css"]}
