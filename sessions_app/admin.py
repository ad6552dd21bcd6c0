"""Review in the admin: which sessions, how they stand, what is behind the number. Evidence cannot be edited."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from proctoring_site.access.roles import Right, may, may_see_sessions
from proctoring_site.admin_lists import NOTHING, ReadOnly, UncountedWhenUnfiltered, in_utc
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app import acts, heartbeat, scoring, services
from sessions_app.errors import ProctoringError
from sessions_app.models import Session
from sessions_app.states import OPEN, State

#: What more than the right to see the session each column asks for.
NEEDED = {
    **dict.fromkeys(("integrity_score", "risk_band", "events", "video"), Right.SEE_EVIDENCE),
    "report": Right.SEE_REPORTS,
}
FILTER_PARAMETERS = {"state", "band", "video", "start_time__gte", "start_time__lt", "start_time__isnull"}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        """Who sees running sessions only would find none in the others."""
        shown = State if may(request.user, Right.SEE_SESSIONS) else OPEN
        return [(state.value, state.label) for state in shown]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.matching(state=self.value()) if self.value() in State.values else queryset


class BandFilter(admin.SimpleListFilter):
    title = "risk band"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(name, name.replace("_", " ")) for name in scoring.BAND_NAMES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in scoring.BAND_NAMES:
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


class StartFilter(admin.DateFieldListFilter):
    """Its days and months begin at midnight in UTC, which may be noon where the reviewer is."""

    def __init__(self, *told: Any, **options: Any) -> None:
        super().__init__(*told, **options)
        self.title = "start (UTC)"


BY_START = ("start_time", StartFilter)


def state_in_words(session: Session) -> str:
    """Of one that runs, with since when its client is missing."""
    if session.state is State.RUNNING and (since := heartbeat.missing_since(session)):
        return f"{session.state.label}, missing since {since:%Y-%m-%d %H:%M:%S} UTC"
    return session.state.label


class SessionChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except OverflowError as error:  # a date in the URL that has no place in UTC
            raise IncorrectLookupParameters from error
        self.result_list = list(self.result_list)
        self.show(*request.GET)
        services.count_where_missing(self.result_list)  # adopted sessions, once, two queries for the page

    def show(self, *filters: str) -> None:
        """Whom this page shows is on record, and their links lead to where the list is known that they came from."""
        self.show_admin_actions = bool(self.result_list)
        shown = [session.pk for session in self.result_list]
        record(Action.LISTED, ObjectKind.SESSION, filters=sorted(filters), sessions=shown)
        for session in self.result_list:
            session.listed_as = self.preserved_filters


class SessionAdmin(ReadOnly, admin.ModelAdmin):
    """Each sees the sessions, columns and filters that their rights allow. Registered by proctoring_site.desk, which
    knows all that is done with a session."""

    list_display = ["name", "started", "shown_state", "integrity_score", "risk_band", "events", "video", "report"]
    list_display_links = ["name"]
    list_filter = [StateFilter, BandFilter, VideoFilter, BY_START]
    search_fields = ["candidate_name", "id__startswith"]
    ordering = ["-start_time", "-id"]
    sortable_by = ["started"]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet would count the collection again
    paginator = UncountedWhenUnfiltered

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SessionChangeList]:
        return SessionChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(request.user)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Session | None:
        session = super().get_object(request, object_id, from_field)
        if session is not None:
            record(Action.LOOKED, ObjectKind.SESSION, session.pk)  # by whatever method: Django's pages answer to any
            services.count_where_missing([session])
        return session

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return [name for name in self.list_display if name not in NEEDED or may(request.user, NEEDED[name])]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """A filter tells what it filters by, so those by evidence are for those who may see that."""
        if may(request.user, Right.SEE_EVIDENCE):
            return self.list_filter
        return [wanted for wanted in self.list_filter if wanted not in (BandFilter, VideoFilter)]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What `list_filter` asks. A pattern of one's own (`candidate_name__regex=(`) could fail or load the server."""
        return lookup in FILTER_PARAMETERS

    def has_view_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return may_see_sessions(request.user)

    def has_supervise_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.SUPERVISE)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act)
        return [path("<path:object_id>/act/", view, name="sessions_app_session_act"), *super().get_urls()]

    def act(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What staff may do to a sitting from its page; an illegal move says why and changes nothing."""
        session = self.get_queryset(request).filter(pk=unquote(object_id)).first()
        if session is None or not self.has_supervise_permission(request):
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done, sentence = acts.carry_out(session, request.POST)
        self.message_user(request, sentence, messages.SUCCESS if done else messages.ERROR)
        seen = self.get_queryset(request).filter(pk=session.pk).exists()  # a Proctor's, until it is closed
        here = reverse("admin:sessions_app_session_change", args=[quote(session.pk)])
        kept = {"opts": self.opts, "preserved_filters": self.get_preserved_filters(request)}
        to = here if seen else reverse("admin:sessions_app_session_changelist")
        return HttpResponseRedirect(add_preserved_filters(kept, to))

    def do_to_each(
        self, request: HttpRequest, sessions: Iterable[Session], service: Callable[[Session], Any], done: str
    ) -> None:
        """What goes wrong with one is told, with of how many, and keeps none of the others back."""
        count, refused = 0, Counter[str]()
        for session in list(sessions):
            try:
                service(session)
                count += 1
            except ProctoringError as error:
                refused[str(error)] += 1
        if count or not refused:
            self.message_user(request, f"{done}: {count}.", messages.SUCCESS)
        for sentence, times in refused.items():
            self.message_user(request, f"Not done: {times}. {sentence}", messages.ERROR)

    @admin.display(description="candidate")
    def name(self, session: Session) -> str:
        return session.shown_name

    started = in_utc("start_time", "started", ordering="start_time")

    @admin.display(description="state")
    def shown_state(self, session: Session) -> str:
        return state_in_words(session)

    @admin.display(description="integrity score")
    def integrity_score(self, session: Session) -> int:
        return services.score(session).integrity_score

    @admin.display(description="risk band")
    def risk_band(self, session: Session) -> SafeString:
        band = services.score(session).risk_band
        return format_html('<span class="band band-{}">{}</span>', band, band.replace("_", " "))

    @admin.display(description="events")
    def events(self, session: Session) -> int:
        return sum(session.counts.values())

    @admin.display(description="video")
    def video(self, session: Session) -> SafeString | str:
        if session.video_name is None:
            return NOTHING
        page = reverse("admin:sessions_app_session_change", args=[quote(session.pk)])
        kept = {"opts": self.opts, "preserved_filters": session.listed_as}
        return format_html('<a href="{}#player">watch</a>', add_preserved_filters(kept, page))

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

    class Media:
        css = {"all": ["sessions_app/review.css"]}
