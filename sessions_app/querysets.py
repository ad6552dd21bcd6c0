"""Which rows are…? Chainable adjectives; every ordering here is exactly one of the models' indexes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Self

from django.db.models import Q, QuerySet, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Least

from proctoring_site.access.candidate_token import Candidate
from proctoring_site.access.roles import Right, may
from proctoring_site.mongo_engine.casts import WholeNumber
from sessions_app import counters
from sessions_app.review.states import AWAITING_REVIEW_BELOW, SECOND_REVIEW_BELOW, Outcome, ranks_of
from sessions_app.scoring import FULL_SCORE, INSUFFICIENT_DATA, LOW, Policy, band_range
from sessions_app.states import OPEN, State

NEWEST_FIRST = ("-start_time", "-id")
#: Unreviewed first, then second reviews, then what is decided; in each the worst band, then the newest.
QUEUE_ORDER = ("queue_rank", *NEWEST_FIRST)


class Scope(Enum):
    """The sessions that staff and machines may know of."""

    ALL, OPEN, NONE = "all", "open", "none"


def scope_of(caller: Any) -> Scope:
    if may(caller, Right.SEE_SESSIONS):
        return Scope.ALL
    return Scope.OPEN if may(caller, Right.SEE_RUNNING) else Scope.NONE


class SessionQuerySet(QuerySet):
    def visible_to(self, caller: Any) -> Self:
        """The sessions that the caller may know of, whoever that is; what may be known of them are further rights."""
        if isinstance(caller, Candidate):
            return self.filter(pk=caller.session_id)
        return self.within(scope_of(caller))

    def within(self, scope: Scope) -> Self:
        match scope:
            case Scope.ALL:
                return self.all()
            case Scope.OPEN:
                return self.open()
        return self.none()

    def newest_first(self) -> Self:
        return self.order_by(*NEWEST_FIRST)

    def open(self) -> Self:
        """Running or paused: the candidate sits."""
        return self.filter(end_time__isnull=True)

    def closed(self) -> Self:
        return self.filter(end_time__isnull=False)

    def ended_before(self, at: datetime) -> Self:
        return self.filter(end_time__lt=at)

    def unsettled(self) -> Self:
        """Closed, and the rest of that was cut off, or is being done right now."""
        return self.filter(unsettled=True)

    def in_state(self, state: str) -> Self:
        """By what `states.state_of` says of status and end."""
        match state:
            case State.RUNNING:
                return self.open().filter(Q(status__isnull=True) | Q(status=state))
            case State.ENDED:
                not_otherwise = Q(status__isnull=True) | Q(status__in=(State.ENDED, *OPEN))
                return self.closed().filter(not_otherwise)
        return self.filter(status=state)

    def silent_since(self, at: datetime) -> Self:
        """Open, and not heard of since: no beat, no event, nor started."""
        never_heard_of = Q(last_seen_at__isnull=True, start_time__lt=at)
        return self.open().filter(Q(last_seen_at__lt=at) | never_heard_of)

    def matching(
        self,
        *,
        candidate_name: str | None = None,
        state: str | None = None,
        started_from: datetime | None = None,
        started_before: datetime | None = None,
    ) -> Self:
        """The filters of the list together; None filters nothing."""
        rows = self
        if candidate_name:
            rows = rows.filter(candidate_name__startswith=candidate_name)
        if state:
            rows = rows.in_state(state)
        if started_from:
            rows = rows.filter(start_time__gte=started_from)
        if started_before:
            rows = rows.filter(start_time__lt=started_before)
        return rows

    # --- The review desk's queue: closed sessions, each with a `queue_rank` (review/states.py)

    def in_queue(self) -> Self:
        """Closed and scored. Its order is QUEUE_ORDER, and so are its indexes."""
        return self.filter(queue_rank__gte=0)

    def awaiting_review(self) -> Self:
        return self.filter(queue_rank__gte=0, queue_rank__lt=AWAITING_REVIEW_BELOW)

    def needing_second_review(self) -> Self:
        return self.filter(queue_rank__gte=AWAITING_REVIEW_BELOW, queue_rank__lt=SECOND_REVIEW_BELOW)

    def undecided(self) -> Self:
        """Awaiting a review or a second one."""
        return self.filter(queue_rank__gte=0, queue_rank__lt=SECOND_REVIEW_BELOW)

    def decided(self) -> Self:
        return self.filter(queue_rank__gte=SECOND_REVIEW_BELOW)

    def decided_with_new_incidents(self) -> Self:
        """Events came after the decision, and nobody has judged them: somebody should look again."""
        return self.decided().filter(new_incidents__gt=0)

    def in_reviewed_band(self, band: str) -> Self:
        """By the band as it was scored last; through the queue's index, as every band has its ranks."""
        return self.filter(queue_rank__in=ranks_of([band]))

    def assigned_to_any(self, names: Iterable[str]) -> Self:
        """Of the queue: to one of these, as `review.assignment.names_of` gives them for an account."""
        return self.in_queue().filter(assigned_to__in=list(names))

    def unassigned(self) -> Self:
        return self.in_queue().filter(assigned_to__isnull=True)

    def due_before(self, at: datetime) -> Self:
        return self.undecided().filter(due_at__lt=at)

    def scored_below(self, score: int) -> Self:
        """By the score as reviewed."""
        return self.in_queue().filter(reviewed_score__lt=score)

    def scored_with(self, version: int) -> Self:
        return self.in_queue().filter(policy_version=version)

    def lacking_coverage(self, *, policy: Policy) -> Self:
        """Less was watched than the policy asks for; those of whom nobody knows are not among them."""
        return self.in_queue().filter(covered__lt=policy.coverage_min)

    def clean(self, *, policy: Policy) -> Self:
        """What may be passed together with others: nobody decided, low risk (so enough was watched, or nobody
        knows how much), a score from `clean_from` on, and nothing confirmed."""
        unreviewed_and_low = ranks_of([LOW], [Outcome.NOT_REVIEWED])
        high_enough = Q(reviewed_score__gte=policy.clean_from)
        return self.filter(high_enough, queue_rank__in=unreviewed_and_low, confirmed_incidents=0)

    def with_video(self) -> Self:
        return self.filter(video_path__isnull=False)

    def without_video(self) -> Self:
        return self.filter(video_path__isnull=True)

    def in_band(self, band: str, *, policy: Policy) -> Self:
        """Sessions whose counts give a score of this band. Computed per row, so combine it with an index's order."""
        points = Value(0)
        for event_type, weight in policy.weights.items():
            count = WholeNumber(KeyTransform(counters.key_of(event_type), "event_counts"))
            weighed = count * Value(weight)
            cap = policy.caps.get(event_type)
            points = points + (weighed if cap is None else Least(weighed, Value(cap)))
        rows = self.alias(points_off=points)
        if band == INSUFFICIENT_DATA:
            rows = rows.filter(covered__lt=policy.coverage_min)
        elif band == LOW:
            rows = rows.filter(Q(covered__isnull=True) | Q(covered__gte=policy.coverage_min))
        lowest, highest = band_range(LOW if band == INSUFFICIENT_DATA else band, policy=policy)
        if lowest > 0:
            rows = rows.filter(points_off__lte=FULL_SCORE - lowest)
        return rows.filter(points_off__gte=FULL_SCORE - highest)


def sees(caller: Any, document: Mapping[str, Any]) -> bool:
    """What `visible_to` says, of one session that has been read already."""
    if isinstance(caller, Candidate):
        return document["_id"] == caller.session_id
    scope = scope_of(caller)
    return scope is Scope.ALL or (scope is Scope.OPEN and document.get("end_time") is None)


class EventQuerySet(QuerySet):
    def in_order(self) -> Self:
        """The timeline's order within one session; the id breaks ties so that the order is total."""
        return self.order_by("occurred_at", "id")
