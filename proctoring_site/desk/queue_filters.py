"""The queue's filters: what reviewers ask. Each answer is an adjective of sessions, and comes from an index's order."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from proctoring_site.access.roles import Right, may
from sessions_app import admin as sessions_admin
from sessions_app import scoring
from sessions_app.models import now
from sessions_app.review import assignment, policies
from sessions_app.review.states import DECIDED
from sessions_app.states import OPEN

ALL = "all"
#: The ends of the shipped bands, what is clean, and what is very bad.
SCORES = (95, 80, 50, 20)


def may_review(user: Any) -> bool:
    """Who sees the queue: its order alone tells what was seen of each session."""
    return may(user, Right.SEE_SESSIONS) and may(user, Right.SEE_EVIDENCE)


def shows_queue(request: HttpRequest) -> bool:
    """The queue, unless all sessions are asked for; a search, and the states of those who sit, go over all of them."""
    asked = request.GET
    is_narrower = asked.get("show") == ALL or asked.get("q", "").strip() or asked.get("state") in OPEN
    return not is_narrower and may_review(request.user)


class QuestionFilter(admin.SimpleListFilter):
    """An empty value is none."""

    def value(self) -> str | None:
        return super().value() or None


class ShowFilter(QuestionFilter):
    title = "list"
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(ALL, "All sessions, newest first")]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        queue, everything = super().choices(changelist)
        back = changelist.get_query_string(remove=[self.parameter_name, "q", "state"])
        yield {**queue, "display": "Review queue", "selected": self.is_queue, "query_string": back}
        yield {**everything, "selected": not self.is_queue}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        self.is_queue = shows_queue(request)
        return queryset.in_queue() if self.is_queue else queryset


class ReviewFilter(QuestionFilter):
    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        decided = [(outcome.value, f"Decided: {outcome.label.lower()}") for outcome in sorted(DECIDED)]
        undecided = [("open", "Undecided"), ("awaiting", "Not reviewed"), ("second", "Second review")]
        late = ("late", "Decided, with new open incidents")
        return [*undecided, ("decided", "Decided"), late, *decided]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "open":
                return queryset.undecided()
            case "awaiting":
                return queryset.awaiting_review()
            case "second":
                return queryset.needing_second_review()
            case "decided":
                return queryset.decided()
            case "late":
                return queryset.decided_with_new_incidents()
            case outcome if outcome in DECIDED:
                return queryset.decided().filter(review_outcome=outcome)
        return queryset


class AssignedFilter(QuestionFilter):
    title = "assignment"
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        mine = [("mine", "To me or my groups"), ("me", "To me"), ("late", "To me or my groups, overdue")]
        return [*mine, ("nobody", "To nobody"), ("overdue", "Overdue, whoever has it")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "mine":
                return queryset.assigned_to_any(assignment.names_of(request.user))
            case "me":
                return queryset.assigned_to_any([request.user.get_username()])
            case "late":
                return queryset.assigned_to_any(assignment.names_of(request.user)).due_before(now())
            case "nobody":
                return queryset.unassigned()
            case "overdue":
                return queryset.due_before(now())
        return queryset


class StoredBandFilter(QuestionFilter):
    title = "risk band"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(name, name.replace("_", " ").capitalize()) for name in scoring.BAND_NAMES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.in_reviewed_band(self.value()) if self.value() in scoring.BAND_NAMES else queryset


class BelowFilter(QuestionFilter):
    """Any whole number in the address; those that are offered are the bands' and the ends of them."""

    title = "score as reviewed"
    parameter_name = "below"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(str(score), f"Below {score}") for score in SCORES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() is None:
            return queryset
        if not (
            self.value().isdecimal()
            and len(self.value()) <= len(str(scoring.FULL_SCORE))
            and int(self.value()) <= scoring.FULL_SCORE
        ):
            raise IncorrectLookupParameters
        return queryset.scored_below(int(self.value()))


class CoverageFilter(QuestionFilter):
    title = "coverage"
    parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [("missing", "Too little was watched")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.lacking_coverage(policy=policies.in_use()) if self.value() == "missing" else queryset


class PolicyFilter(QuestionFilter):
    title = "policy"
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> Iterable[tuple[str, str]]:
        return [(str(version), f"Scored with version {version}") for version, _, _ in policies.versions()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() is None:
            return queryset
        if not (self.value().isdecimal() and len(self.value()) < 10):
            raise IncorrectLookupParameters
        return queryset.scored_with(int(self.value()))


class StateFilter(QuestionFilter, sessions_admin.StateFilter):
    """As in the list of all sessions."""
