"""The review queue: the list of sessions in the order in which they need a person, filtered by reviewers' questions.

Who may not review (a Proctor sees who sits, an Operator sees no evidence) gets the list of all sessions, newest first.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from proctoring_site import keyset
from proctoring_site.access.roles import Right, may
from proctoring_site.admin_lists import NOTHING, TO_THE_MINUTE, in_utc
from proctoring_site.desk import bulk, queue_counts, queue_export, queue_next
from proctoring_site.desk.queue_filters import (
    AssignedFilter,
    BelowFilter,
    CoverageFilter,
    PolicyFilter,
    ReviewFilter,
    ShowFilter,
    StateFilter,
    StoredBandFilter,
    may_review,
    shows_queue,
)
from sessions_app import scoring
from sessions_app.admin import BY_START, BandFilter, SessionAdmin, SessionChangeList, VideoFilter
from sessions_app.models import CANDIDATE_NAME_MAX_LENGTH, Session, now
from sessions_app.querysets import QUEUE_ORDER
from sessions_app.review import assignment

FILTERS = [
    *(ShowFilter, ReviewFilter, AssignedFilter, StoredBandFilter, BelowFilter),
    *(CoverageFilter, VideoFilter, StateFilter, BY_START, PolicyFilter),
]
COLUMNS = [
    *("name", "begun", "shown_state", "scores", "stored_band", "open_count"),
    *("decision", "assignee", "evidence"),
]
#: Of a search by a part: each is a range of the index of names.
NAMES_MAX = 300
#: What is about a list and shows no page of it; whom they do show, they record themselves.
QUESTIONS = {queue_next.NAME, "sessions_app_session_export", "sessions_app_session_pass-clean"}
PARAMETERS = {each.parameter_name for each in FILTERS if each is not BY_START}


def names_with(part: str) -> list[str]:
    """Different names with this part, in any case, up to one more than NAMES_MAX."""
    having = Session.objects.filter(candidate_name__icontains=part).order_by()
    return list(having.values_list("candidate_name", flat=True).distinct()[: NAMES_MAX + 1])


class QueueChangeList(SessionChangeList):
    """A page by keyset, with cursors in the address in place of a number; nothing is counted for it."""

    page: keyset.Page

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        self.cursors = {name: self.params.pop(name, "") for name in (keyset.AFTER, keyset.BEFORE)}
        for name in self.cursors:
            self.filter_params.pop(name, None)
        return super().get_filters(request)

    def get_results(self, request: HttpRequest) -> None:
        try:
            self.page = keyset.page_of(self.queryset, QUEUE_ORDER, size=self.list_per_page, **self.cursors)
        except (keyset.BadCursor, OverflowError) as error:  # or a date in the URL that has no place in UTC
            raise IncorrectLookupParameters from error
        self.result_list = self.page.rows
        self.paginator = Paginator(self.result_list, self.list_per_page)
        self.result_count = len(self.result_list)
        self.full_result_count, self.show_full_result_count = self.result_count, False  # so none is shown
        self.can_show_all = self.multi_page = False
        self.show(*{*request.GET, "queue"})

    @property
    def is_beyond(self) -> bool:
        """A page that was opened a while ago leads to where nothing stands any more."""
        return any(self.cursors.values()) and not self.result_list

    @property
    def links(self) -> dict[str, str]:
        """The pages beside this one: what is said → its address."""
        beside = {"Previous": (keyset.BEFORE, self.page.previous), "Next": (keyset.AFTER, self.page.next)}
        links = {said: self.get_query_string({name: cursor}) for said, (name, cursor) in beside.items() if cursor}
        return {"First": self.get_query_string(), **links} if self.page.previous or self.is_beyond else links


class Question(QueueChangeList):
    """The sessions that a list is of, none of which is shown."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            self.queryset.exists()
        except OverflowError as error:  # a date in the URL that has no place in UTC
            raise IncorrectLookupParameters from error


class QueuePage(SessionAdmin):
    """What the desk makes of the list of sessions; admin.py mixes it in."""

    change_list_template = "desk/queue.html"
    search_help_text = (
        "The beginning of a candidate's name or of a session id, exactly as written; "
        "if there is none, any part of a name, in upper or lower case"
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SessionChangeList]:
        if request.resolver_match and request.resolver_match.url_name in QUESTIONS:
            return Question
        return QueueChangeList if shows_queue(request) else super().get_changelist(request, **kwargs)

    def get_ordering(self, request: HttpRequest) -> Iterable[str]:
        return QUEUE_ORDER if shows_queue(request) else super().get_ordering(request)

    def get_sortable_by(self, request: HttpRequest) -> Iterable[str]:
        return () if shows_queue(request) else super().get_sortable_by(request)

    def get_list_display(self, request: HttpRequest) -> list[str]:
        if not shows_queue(request):
            return super().get_list_display(request)
        may_report = may(request.user, Right.SEE_REPORTS)
        return COLUMNS if may_report else ["video" if name == "evidence" else name for name in COLUMNS]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        if shows_queue(request):
            return FILTERS
        if may_review(request.user):  # those that run have no stored band
            return [BandFilter if each is StoredBandFilter else each for each in FILTERS]
        return super().get_list_filter(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return super().lookup_allowed(lookup, value, request) or (may_review(request.user) and lookup in PARAMETERS)

    def get_urls(self) -> list[URLPattern]:
        views = {"export": queue_export.export, "pass-clean": bulk.pass_clean, "counts": queue_counts.answer}
        return [
            *(
                path(
                    f"queue/{name}/",
                    self.admin_site.admin_view(partial(view, desk=self)),
                    name=f"sessions_app_session_{name}",
                )
                for name, view in views.items()
            ),
            path(
                "<path:object_id>/next/",
                self.admin_site.admin_view(partial(queue_next.go, desk=self)),
                name=queue_next.NAME,
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        facts: dict[str, Any] = {"notice": scoring.FLAGS_ARE_NOT_FINDINGS, "shows_queue": shows_queue(request)}
        facts["title"] = "Review queue" if facts["shows_queue"] else "Sessions"
        facts["shows_scores"] = may(request.user, Right.SEE_EVIDENCE)
        if may_review(request.user):
            asked = request.GET.copy()
            for name in (keyset.AFTER, keyset.BEFORE):
                asked.pop(name, None)
            facts["query"] = asked.urlencode()
        if facts["shows_queue"]:
            facts["counts"] = queue_counts.counts_for(assignment.names_of(request.user), at=now())
        if self.has_decide_permission(request):
            facts["may_decide"] = True
            facts["assign_choices"] = bulk.assign_choices()
        return super().changelist_view(request, {**facts, **(extra_context or {})})

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """A beginning is a range of an index. A part of a name is looked for among the names alone, in their index,
        and not in the sessions; when too many names have it, the newest sessions will show it soon."""
        term = search_term.strip()[:CANDIDATE_NAME_MAX_LENGTH]
        if not term:
            return queryset, False
        begin_so = queryset.filter(Q(candidate_name__startswith=term) | Q(id__startswith=term))
        if begin_so.exists():
            return begin_so, False
        names = names_with(term)
        if len(names) > NAMES_MAX:
            return queryset.filter(candidate_name__icontains=term), False
        return queryset.filter(candidate_name__in=names), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those who sit have the live board: what is in the queue can be neither paused nor ended."""
        found = super().get_actions(request)
        if shows_queue(request):
            for name in bulk.QUESTIONS:
                found.pop(name, None)
        return found

    @admin.action(description="Assign the selected sessions to …", permissions=["decide"])
    def assign_sessions(self, request: HttpRequest, queryset: QuerySet) -> None:
        bulk.assign(request, queryset, desk=self)

    @admin.action(description="Pass the clean ones among the selected sessions …", permissions=["decide"])
    def pass_clean_sessions(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return bulk.ask_to_pass(request, queryset, desk=self)

    @admin.action(description="Pause the selected sessions …", permissions=["supervise"])
    def pause_sessions(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return bulk.ask_first(request, queryset, action="pause_sessions", desk=self)

    @admin.action(description="Resume the selected sessions …", permissions=["supervise"])
    def resume_sessions(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return bulk.ask_first(request, queryset, action="resume_sessions", desk=self)

    @admin.action(description="End the selected sessions …", permissions=["supervise"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return bulk.ask_first(request, queryset, action="end_sessions", desk=self)

    begun = in_utc("start_time", "started", layout=TO_THE_MINUTE)

    @admin.display(description="evidence")
    def evidence(self, session: Session) -> SafeString | str:
        """Video and report, one click away."""
        try:
            report = reverse("session-report-report-html", args=[session.pk])
        except NoReverseMatch:  # an adopted id that no address can hold
            return self.video(session)
        link = format_html('<a href="{}">report</a>', report)
        return link if session.video_name is None else format_html("{} · {}", self.video(session), link)

    @admin.display(description="score")
    def scores(self, session: Session) -> SafeString | str:
        """As reviewed, and as the machine saw it where that is another."""
        if session.reviewed_score is None:
            return NOTHING
        if session.reviewed_score == session.machine_score:
            return str(session.reviewed_score)
        told = '{}<br><span class="queue-quiet">machine: {}</span>'
        return format_html(told, session.reviewed_score, session.machine_score)

    @admin.display(description="risk band")
    def stored_band(self, session: Session) -> SafeString | str:
        band = session.reviewed_band
        if band is None:
            return NOTHING
        return format_html('<span class="band band-{}">{}</span>', band, band.replace("_", " "))

    @admin.display(description="to judge")
    def open_count(self, session: Session) -> str:
        """How many nobody judged yet, of all."""
        if session.incident_count is None:
            return NOTHING
        return f"{session.open_incidents} of {session.incident_count}" if session.incident_count else "none"

    @admin.display(description="decision")
    def decision(self, session: Session) -> SafeString | str:
        said = session.outcome.label.lower()
        if not session.outcome_by:
            return said
        return format_html('{} <span class="queue-quiet">by {}</span>', said, session.outcome_by)

    @admin.display(description="assigned to")
    def assignee(self, session: Session) -> SafeString:
        """With what assigning many tells the server: who had it when the list was drawn."""
        to = (session.assigned_to or NOTHING).removeprefix(assignment.GROUP_PREFIX)
        name, had = bulk.HAD.format(session.pk), session.assigned_to or ""
        shown = format_html('{}<input type="hidden" name="{}" value="{}">', to, name, had)
        if session.due_at is None:
            return shown
        due = f"{session.due_at:{TO_THE_MINUTE}}"
        return format_html('{} <span class="queue-quiet">due {} UTC</span>', shown, due)
