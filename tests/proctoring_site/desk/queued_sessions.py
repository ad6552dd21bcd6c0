"""Sessions as they stand in the review queue, and its addresses."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sessions_app.models import Session
from sessions_app.review.states import Outcome, queue_rank
from tests.factories import NOON, make_session

LIST = "/admin/sessions_app/session/"
EXPORT, PASS, COUNTS = f"{LIST}queue/export/", f"{LIST}queue/pass-clean/", f"{LIST}queue/counts/"
SCORES = {"low": 100, "insufficient_data": 90, "medium": 60, "high": 20}


def standing(
    name: str = "Ada Example", *, band: str = "low", outcome: Outcome = Outcome.NOT_REVIEWED, **overrides: Any
) -> dict[str, Any]:
    """A closed session as scoring leaves it."""
    fields = {"end_time": NOON + timedelta(hours=1), "machine_score": SCORES[band], "reviewed_score": SCORES[band]}
    fields |= {"reviewed_band": band, "queue_rank": queue_rank(outcome, band), "policy_version": 1}
    fields |= {"incident_count": 0, "open_incidents": 0, "confirmed_incidents": 0, "review_outcome": outcome.value}
    return {"candidate_name": name, "start_time": NOON, "status": "ended", **fields, **overrides}


def scored(name: str = "Ada Example", **told: Any) -> Session:
    return make_session(**standing(name, **told))


def keep(sessions: Iterable[dict[str, Any]]) -> None:
    """Many at once."""
    Session.objects.bulk_create([Session(**fields) for fields in sessions])
