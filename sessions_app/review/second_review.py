"""When a violation needs two people, whatever one of them does before or after it."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from proctoring_site.jobs.queue import job, submit
from sessions_app.models import Session
from sessions_app.review import changes, scores
from sessions_app.review.changes import Change
from sessions_app.review.errors import ReviewChanged
from sessions_app.review.models import EntryAction, ReviewEntry
from sessions_app.review.reading import Review, review_of
from sessions_app.review.states import Outcome, place_of
from sessions_app.scoring import FULL_SCORE

#: Whoever made the change has looked by then, unless they were killed.
LOOK_PAUSE_S = 10
REASON = "After this change, more points are off than one person may decide on."


def is_needed(review: Review) -> bool:
    """By the lower of both scores: nobody dismisses alone what, undismissed, would need somebody else. The review is
    one without the allowances of who decides, for the same reason."""
    lower = min(review.machine.integrity_score, review.reviewed.integrity_score)
    above = review.policy.second_review_above
    return above is not None and FULL_SCORE - lower > above


def look_soon(session: Session, revision: int) -> None:
    """Have `require` done after the change that will be this revision, should its maker be killed before they do it.
    Called before the change is stored."""
    submit(look, f"{session.pk}/{revision}", pause_s=LOOK_PAUSE_S)


@job(name="second_review")
def look(key: str) -> None:
    """`key`: the id of the change's entry, if there is one: else it was refused. What came later than the change is
    left out, since late events change no decision."""
    entry = ReviewEntry.objects.filter(pk=key).first()
    session = Session.objects.filter(pk=entry.session_id).first() if entry else None
    if session is not None:
        by = get_user_model()(pk=entry.actor_id, username=entry.actor_name)  # as they were called then
        require(session, by=by, seen_until=entry.at)


def require(
    session: Session, *, by: AbstractBaseUser, at: datetime | None = None, seen_until: datetime | None = None
) -> None:
    """Turn one person's violation into `second_review_required` when, after a change of somebody's, it has too many
    points for one. Who made it stays the first reviewer. The instance is fresh afterwards.

    Whoever changes more meanwhile makes this look again. `seen_until`: without events that were received later.
    """
    outcome = Outcome.SECOND_REVIEW_REQUIRED
    while session.outcome is Outcome.VIOLATION:
        review = review_of(session, seen_until=seen_until, without_allowances_of=session.outcome_by_id)
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
            session.refresh()


def _is_of_two(session: Session) -> bool:
    """Whether somebody else confirmed the violation that stands."""
    entry = ReviewEntry.objects.since(session.pk, 0).filter(action=EntryAction.OUTCOME).last()
    return entry is not None and entry.before["outcome"] == Outcome.SECOND_REVIEW_REQUIRED
