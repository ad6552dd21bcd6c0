"""When a violation needs two people, whatever one of them does before or after it."""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from sessions_app.models import Session
from sessions_app.review import changes, policies, scores
from sessions_app.review.changes import Change
from sessions_app.review.errors import ReviewChanged
from sessions_app.review.models import EntryAction, ReviewEntry
from sessions_app.review.reading import Review, review_of
from sessions_app.review.states import Outcome, place_of

REASON = "More points are off after this change than one person may decide on."


def is_needed(review: Review) -> bool:
    """By the lower of both scores: nobody dismisses alone what, undismissed, would need somebody else."""
    lower = min(review.machine.integrity_score, review.reviewed.integrity_score)
    return policies.second_review_is_needed(review.policy, lower)


def require(session: Session, *, by: AbstractBaseUser, at: datetime | None = None) -> None:
    """Turn one person's violation into `second_review_required` when, after a change of somebody's, it has too many
    points for one. Who made it stays the first reviewer. The instance is fresh afterwards.

    Whoever changes more meanwhile makes this look again.
    """
    outcome = Outcome.SECOND_REVIEW_REQUIRED
    while session.outcome is Outcome.VIOLATION:
        review = review_of(session)
        if review.outcome is not Outcome.VIOLATION or not is_needed(review) or _is_of_two(session):
            return
        change = Change(
            action=EntryAction.OUTCOME,
            about={},
            before={"outcome": Outcome.VIOLATION.value},
            after={"outcome": outcome.value},
            reason=REASON,
            fields={"review_outcome": outcome.value, **place_of(outcome, session.reviewed_band)},
        )
        try:
            changes.make(session, change, by=by, seen=review.revision, at=at)
        except ReviewChanged:
            changes.catch_up(session)
        else:
            scores.score_closed([session.pk])
            changes.refresh(session)


def _is_of_two(session: Session) -> bool:
    """Whether somebody else confirmed the violation that stands."""
    entry = ReviewEntry.objects.since(session.pk, 0).filter(action=EntryAction.OUTCOME).last()
    return entry is not None and entry.before["outcome"] == Outcome.SECOND_REVIEW_REQUIRED
