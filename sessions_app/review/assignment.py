"""Who looks at a session, and until when; and what is done to many at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.db.models import QuerySet

from proctoring_site.access.roles import Right, may
from sessions_app.errors import ProctoringError
from sessions_app.models import Session, to_milliseconds
from sessions_app.review import changes, policies, services
from sessions_app.review.changes import Change
from sessions_app.review.errors import AssignedMeanwhile, NobodyToAssign, NoLongerClean
from sessions_app.review.models import EntryAction
from sessions_app.review.reading import Review, review_of
from sessions_app.review.states import IncidentState, Outcome
from sessions_app.scoring import LOW

GROUP_PREFIX = "group:"
#: In one request; each is a change of its own, with its entry in the history.
AT_ONCE_MAX = 500


@dataclass(frozen=True, slots=True)
class Bulk:
    """How many were changed, and which were not because somebody else changed them or they do not qualify any more."""

    done: int
    refused: tuple[str, ...]


def names_of(account: AbstractBaseUser) -> list[str]:
    """What `assigned_to` says of sessions that are this account's: its own name, and its groups."""
    return [account.get_username(), *(f"{GROUP_PREFIX}{group.name}" for group in account.groups.order_by("name"))]


def assign(session: Session, to: str | None, *, by: AbstractBaseUser, seen: int, at: datetime | None = None) -> Session:
    """To an account or group that may decide, as `assigned_to` holds it, or to nobody (None). Raises NobodyToAssign and
    ReviewChanged."""
    _require_assignable(to)
    changes.require_seen(session, seen)
    return _assign(session, to, by=by, seen=seen, at=at)


def set_due(
    session: Session, due_at: datetime | None, *, by: AbstractBaseUser, seen: int, at: datetime | None = None
) -> Session:
    """Raises ReviewChanged."""
    changes.require_seen(session, seen)
    due_at = due_at and to_milliseconds(due_at)
    change = Change(EntryAction.DUE, {}, {"due_at": session.due_at}, {"due_at": due_at}, fields={"due_at": due_at})
    changes.make(session, change, by=by, seen=seen, at=at)
    return session


def assign_many(
    sessions: Iterable[Session],
    to: str | None,
    *,
    by: AbstractBaseUser,
    shown: Mapping[str, str | None] | None = None,
) -> Bulk:
    """Each as it is now, but for those that somebody else got meanwhile. Raises NobodyToAssign.

    `shown`: session id → who had it as the page showed it, None: nobody; else the instances say it.
    """
    _require_assignable(to)

    def one(session: Session) -> None:
        had = (shown or {}).get(session.pk, session.assigned_to)
        changes.catch_up(session)
        if session.assigned_to != to:
            if session.assigned_to not in (None, had):
                raise AssignedMeanwhile
            _assign(session, to, by=by, seen=changes.revision_of(session), at=None)

    return _each(sessions, one)


def clean_among(sessions: QuerySet) -> QuerySet:
    """Those that `pass_clean` would pass, for a page that says how many."""
    return sessions.clean(policy=policies.in_use())


def pass_clean(session_ids: Sequence[str], *, by: AbstractBaseUser, reason: str | None = None) -> Bulk:
    """Pass those among these that are clean still; each is looked at again just before."""
    clean = Session.objects.filter(pk__in=list(session_ids)).clean(policy=policies.in_use())
    passing = {session.pk: session for session in clean}

    def one(session: Session) -> None:
        seen = changes.revision_of(session)
        if not _is_clean(review_of(session)):  # late events whose score is not stored yet
            raise NoLongerClean
        services.decide(session, Outcome.PASSED, by=by, seen=seen, reason=reason)

    done = _each(passing.values(), one)
    return Bulk(done.done, (*(pk for pk in session_ids if pk not in passing), *done.refused))


def _is_clean(review: Review) -> bool:
    if review.outcome is not Outcome.NOT_REVIEWED:
        return False
    confirmed = any(incident.state == IncidentState.CONFIRMED for incident in review.incidents)
    score = review.reviewed
    return score.risk_band == LOW and score.integrity_score >= review.policy.clean_from and not confirmed


def _require_assignable(to: str | None) -> None:
    """Of one, since each account's rights are questions of their own."""
    if to is None:
        return
    if to.startswith(GROUP_PREFIX):
        name = to.removeprefix(GROUP_PREFIX)
        is_there = Group.objects.filter(name=name, permissions__codename="decide_session").exists()
    else:
        is_there = may(get_user_model().objects.filter(username=to).first(), Right.DECIDE)
    if not is_there:
        raise NobodyToAssign


def _assign(session: Session, to: str | None, *, by: AbstractBaseUser, seen: int, at: datetime | None) -> Session:
    before = {"assigned_to": session.assigned_to}
    change = Change(EntryAction.ASSIGNED, {}, before, {"assigned_to": to}, fields={"assigned_to": to})
    changes.make(session, change, by=by, seen=seen, at=at)
    return session


def _each(sessions: Iterable[Session], act: Callable[[Session], None]) -> Bulk:
    done, refused = 0, []
    for session in sessions:
        try:
            act(session)
        except ProctoringError:
            refused.append(session.pk)
        else:
            done += 1
    return Bulk(done, tuple(refused))
