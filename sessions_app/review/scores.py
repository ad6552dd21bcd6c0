"""A closed session's scores, kept with it so that one index answers the queue: at its end, after late events, after
every word of a reviewer, and under another policy. The number is a function of facts; this only stores it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from pymongo import UpdateOne

from proctoring_site.jobs.queue import job, submit
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app.models import now
from sessions_app.policy import policy_of
from sessions_app.review import policies
from sessions_app.review.errors import NoSuchPolicy
from sessions_app.review.facts import Facts, facts_of
from sessions_app.review.states import queue_rank
from sessions_app.review.weighing import Assessment, assess
from sessions_app.scoring import Policy

logger = logging.getLogger(__name__)

#: Each time one of those who change the session at the same moment got somewhere.
TRIES = 10
#: Late events of one session that come within so many seconds are scored together, once the last of them is stored:
#: the pause is longer than that and than an event may take (SHORT_WRITE_LIMIT_S).
LATE_TOGETHER_S, LATE_PAUSE_S = 5, 10


@dataclass(frozen=True, slots=True)
class Scored:
    """What the scores of a session were, None when it had none, and what they are."""

    session_id: str
    policy_version: int | None
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def changes_band(self) -> bool:
        return self.before["reviewed_band"] != self.after["reviewed_band"]


def assess_facts(facts: Facts, *, policy: Policy) -> Assessment:
    return assess(
        facts.events,
        policy=policy,
        judgements=facts.judgements,
        allowed=facts.allowed,
        covered=facts.covered,
    )


def score_closed(session_ids: Iterable[str], *, policy: Policy | None = None, at: datetime | None = None) -> int:
    """Score closed sessions and store it: under their own policy, else the one in force; or all under `policy`.

    Answers how many were stored. One that changes meanwhile is scored again; open sessions are left alone.
    """
    left, stored = list(session_ids), 0
    for _ in range(TRIES):
        if not left:
            break
        found = {pk: facts for pk, facts in facts_of(left).items() if facts.is_closed}
        done = store(found, [scored_under(facts, policy or _policy_for(facts)) for facts in found.values()], at=at)
        stored += len(done)
        left = [pk for pk in found if pk not in done]
    if left:
        logger.warning("%d sessions change so fast that they were not scored", len(left))
    return stored


def store(facts: dict[str, Facts], scored: Sequence[Scored], *, at: datetime | None = None) -> set[str]:
    """Keep what was scored of sessions that did not change since their facts were read; answers which those are."""
    if not scored:
        return set()
    at = naive_utc(at or now())
    changes = []
    for one in scored:
        document = facts[one.session_id].document
        still = {name: document.get(name) for name in ("revision", "review_revision", "end_time")}
        kept = {**one.after, "policy_version": one.policy_version, "scored_at": at}
        kept["scored_revision"] = document.get("revision")
        changes.append(UpdateOne({"_id": one.session_id, **still}, {"$set": kept}))
    sessions = connection.get_collection("sessions")
    done = sessions.bulk_write(changes, ordered=False, session=connection.session)
    if done.matched_count == len(changes):
        return {one.session_id for one in scored}
    mine = {"_id": {"$in": [one.session_id for one in scored]}, "scored_at": at}
    return {row["_id"] for row in sessions.find(mine, {"_id": 1}, session=connection.session)}


def after_late_event(session_id: str, received_at: datetime) -> None:
    """Have the score follow an event that comes after the end, soon. Called before the event is stored."""
    moment = int(received_at.timestamp()) // LATE_TOGETHER_S
    submit(score_late, f"{session_id}@{moment}", pause_s=LATE_PAUSE_S)


@job(name="score_session")
def score_late(key: str) -> None:
    score_closed([key.rpartition("@")[0]])


def scored_under(facts: Facts, policy: Policy) -> Scored:
    """What its scores are under a policy; nothing is stored."""
    assessment = assess_facts(facts, policy=policy)
    document, band = facts.document, assessment.reviewed.risk_band
    after = {
        "machine_score": assessment.machine.integrity_score,
        "reviewed_score": assessment.reviewed.integrity_score,
        "reviewed_band": band,
        "incident_count": len(assessment.incidents),
        "open_incidents": assessment.open_incidents,
        "confirmed_incidents": assessment.confirmed_incidents,
        "queue_rank": queue_rank(facts.outcome, band),
    }
    before = {name: document.get(name) for name in (*after, "policy_version")}
    return Scored(document["_id"], policy.version, before, after)


def _policy_for(facts: Facts) -> Policy:
    """The version that it was scored with; one of an adopted document that we do not know is none of ours."""
    version = facts.document.get("policy_version")
    try:
        return policies.in_use() if version is None else policy_of(version)
    except NoSuchPolicy:
        return policies.in_use()
