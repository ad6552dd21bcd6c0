"""What can go wrong in a review, in a sentence for a human."""

from collections.abc import Sequence
from typing import Any

from sessions_app.errors import ProctoringError


class ReviewChanged(ProctoringError):
    """Somebody else was quicker. `since`: their entries in the history, oldest first (models.ReviewEntry)."""

    code = "review_changed"
    sentence = "Somebody else has changed this review in the meantime; check what changed, then try again."

    def __init__(self, since: Sequence[Any] = ()) -> None:
        self.since = tuple(since)
        told = "; ".join(entry.sentence for entry in self.since)
        super().__init__(f"This review has changed in the meantime: {told}." if told else None)


class IncidentNotFound(ProctoringError):
    """Also when events that came meanwhile made another incident of it: nobody has seen that one yet."""

    code = "incident_not_found"
    sentence = "This incident no longer exists; new events may have joined it. Look again."


class IllegalJudgement(ProctoringError):
    code = "illegal_judgement"
    sentence = "The incident cannot change from its state to that one."

    def __init__(self, state: str, to: str) -> None:
        super().__init__(f"The incident is {state} and cannot become {to}.")


class IllegalOutcome(ProctoringError):
    code = "illegal_outcome"
    sentence = "The session cannot change from its outcome to that one."

    def __init__(self, outcome: str, to: str) -> None:
        super().__init__(f"The outcome is {outcome} and cannot become {to}.")


class ReasonNeeded(ProctoringError):
    code = "reason_needed"
    sentence = "This requires a reason."


class SessionStillOpen(ProctoringError):
    code = "session_still_open"
    sentence = "The session is still open; it can be decided on once it is closed."


class NothingConfirmed(ProctoringError):
    code = "nothing_confirmed"
    sentence = "A violation needs at least one confirmed incident."


class ViolationStands(ProctoringError):
    code = "violation_stands"
    sentence = "The outcome is a violation and rests on this incident; change the outcome first."


class SecondReviewerNeeded(ProctoringError):
    code = "second_reviewer_needed"
    sentence = "Somebody else must confirm this violation: the second reviewer cannot be the first."


class NoSuchPolicy(ProctoringError):
    code = "no_such_policy"
    sentence = "There is no policy with that version."


class PolicyChanged(ProctoringError):
    code = "policy_changed"
    sentence = "Another policy was activated in the meantime."


class BadPolicy(ProctoringError):
    code = "bad_policy"
    sentence = "The policy is not valid."


class NobodyToAssign(ProctoringError):
    code = "nobody_to_assign"
    sentence = "There is no active account or group of that name that may decide."


class AssignedMeanwhile(ProctoringError):
    code = "assigned_meanwhile"
    sentence = "This session has been assigned to somebody else in the meantime."


class NoLongerClean(ProctoringError):
    code = "no_longer_clean"
    sentence = "The session has changed in the meantime and must be reviewed."
