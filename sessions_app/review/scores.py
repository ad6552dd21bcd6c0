"""A closed session's scores, kept with it so that one index answers the queue: at its end, after late events, after
every word of a reviewer, and under another policy. The number is a function of facts; this only stores it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from pymongo import UpdateOne

from proctoring_site.jobs.queue import job, submit
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app import counters
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, now
from sessions_app.policy import active_policy, policy_for
from sessions_app.review import policies
from sessions_app.review.facts import Facts, facts_of
from sessions_app.review.states import queue_rank
from sessions_app.review.weighing import Assessment, assess, summarize
from sessions_app.scoring import Policy, Score

logger = logging.getLogger(__name__)

#: Each time one of those who change the session at the same moment got somewhere.
TRIES = 10
#: What a score is of, the version included: one that comes late is not stored over that of a rescore.
_STILL = ("revision", "review_revision", "end_time", "policy_version")
BATCH = 500
#: Closed, and never scored.
UNSCORED = {"end_time": {"$ne": None}, "queue_rank": None}
#: Late events of one session that come within so many seconds are scored together, once the last of them is stored:
#: the pause is longer than that and than an event may take (SHORT_WRITE_LIMIT_S) by a margin.
LATE_TOGETHER_S, LATE_MARGIN_S = 5, 2
#: Session → the seconds whose job this process submitted last; that job waits still, while they last.
_submitted: dict[str, int] = {}
SUBMITTED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Scored:
    """What the scores of a session were, None when it had none, and what they are."""

    session_id: str
    policy_version: int | None
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def is_stored(self) -> bool:
        """Whether just this is stored already."""
        return self.before == {**self.after, "policy_version": self.policy_version}

    @property
    def changes_band(self) -> bool:
        return self.before["reviewed_band"] != self.after["reviewed_band"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands: as the machine saw it and as reviewed, under which policy, without which exempt types."""

    policy: Policy
    machine: Score
    reviewed: Score
    exempt: tuple[str, ...] = ()


def standing_by_events(session: Session, *, policy: Policy) -> Standing:
    """By its events and what people said. Raises SessionNotFound."""
    facts = facts_of([session.pk]).get(session.pk)
    if facts is None:
        raise SessionNotFound
    assessment = assess_facts(facts, policy=policy)
    return Standing(policy, assessment.machine, assessment.reviewed, tuple(sorted(facts.allowed)))


def assess_facts(facts: Facts, *, policy: Policy) -> Assessment:
    return assess(facts.events, policy=policy, **_words(facts))


def score_closed(session_ids: Iterable[str], *, policy: Policy | None = None) -> int:
    """Score closed sessions and store it: under their own policy, else the one in force; or all under `policy`.

    Answers how many were stored. One that changes meanwhile is scored again; open sessions are left alone.
    """
    left, stored = list(session_ids), 0
    for _ in range(TRIES):
        if not left:
            break
        found = {pk: facts for pk, facts in facts_of(left).items() if facts.is_closed}
        done = store(found, [scored_under(facts, policy or policy_of_facts(facts)) for facts in found.values()])
        stored += len(done)
        left = [pk for pk in found if pk not in done]
    if left:
        logger.warning("%d sessions change so fast that they were not scored", len(left))
    return stored


def store(facts: dict[str, Facts], scored: Sequence[Scored]) -> set[str]:
    """Keep what was scored of sessions that did not change since their facts were read; answers which those are."""
    if not scored:
        return set()
    at = naive_utc(now())
    changes = {}
    for one in scored:
        document = facts[one.session_id].document
        if one.is_stored and document.get("scored_revision") == document.get("revision"):
            continue
        still = {name: document.get(name) for name in _STILL}
        kept = {**one.after, "policy_version": one.policy_version, "scored_at": at}
        kept["scored_revision"] = document.get("revision")
        changes[one.session_id] = UpdateOne({"_id": one.session_id, **still}, {"$set": kept})
    everyone = {one.session_id for one in scored}
    if not changes:
        return everyone
    sessions = connection.get_collection("sessions")
    done = sessions.bulk_write(list(changes.values()), ordered=False, session=connection.session)
    if done.matched_count == len(changes):
        return everyone
    versions = list({one.policy_version for one in scored})  # somebody else's may be of the same millisecond
    mine = {"_id": {"$in": list(changes)}, "scored_at": at, "policy_version": {"$in": versions}}
    stored = {row["_id"] for row in sessions.find(mine, {"_id": 1}, session=connection.session)}
    return (everyone - set(changes)) | stored


def score_soon(session_id: str, at: datetime) -> None:
    """Have the score follow an event that comes after the end, or is under way at it, once it is surely stored. Called
    before that, for each event of a batch: all but the first of some seconds cost nothing."""
    moment = int(at.timestamp()) // LATE_TOGETHER_S
    if _submitted.get(session_id) == moment:
        return
    pause_s = LATE_TOGETHER_S + settings.SHORT_WRITE_LIMIT_S + LATE_MARGIN_S
    submit(score_late, f"{session_id}@{moment}", pause_s=pause_s)
    if len(_submitted) >= SUBMITTED_MAX:
        _submitted.clear()
    _submitted[session_id] = moment


def score_adopted(*, after: str = "") -> tuple[int, str | None]:
    """Score one batch of the closed sessions that never had a score, with ids after this one: those of an adopted
    database. Answers how many, and where the next batch begins; None when there is none. Again changes nothing."""
    ids = _ids({**UNSCORED, "_id": {"$gt": after}})
    return (score_closed(ids), ids[-1]) if ids else (0, None)


@job(name="score_adopted")
def score_adopted_later(key: str, *, after: str = "", number: int = 0) -> None:
    _, further = score_adopted(after=after)
    if further is not None:
        submit(score_adopted_later, f"adopted:{number + 1}", after=further, number=number + 1)


def _ids(where: dict[str, Any]) -> list[str]:
    sessions = connection.get_collection("sessions")
    rows = sessions.find(where, {"_id": 1}, session=connection.session).sort("_id", 1).limit(BATCH)
    return [row["_id"] for row in rows]


@job(name="score_session")
def score_late(key: str) -> None:
    """Counts first: the recount at the end takes a writer that is slower than a second for a crash."""
    session_id = key.rpartition("@")[0]
    try:
        if counters.recount(session_id, weighed=active_policy().weights) is None:  # others wrote just then
            score_soon(session_id, now())
    except SessionNotFound:  # deleted meanwhile
        return
    score_closed([session_id])


def scored_under(facts: Facts, policy: Policy) -> Scored:
    """What its scores are under a policy; nothing is stored."""
    summary = summarize(facts.events, policy=policy, **_words(facts))
    document, band = facts.document, summary.reviewed.risk_band
    after = {
        "machine_score": summary.machine.integrity_score,
        "reviewed_score": summary.reviewed.integrity_score,
        "reviewed_band": band,
        "incident_count": summary.incident_count,
        "open_incidents": summary.open_incidents,
        "confirmed_incidents": summary.confirmed_incidents,
        "new_incidents": _new_incidents(facts, policy),
        "queue_rank": queue_rank(facts.outcome, band),
        "covered": facts.covered,
    }
    before = {name: document.get(name) for name in (*after, "policy_version")}
    return Scored(document["_id"], policy.version, before, after)


def _new_incidents(facts: Facts, policy: Policy) -> int:
    """Those that want a look and have events that came after the decision. Nobody knows when imported events came."""
    decided_at = facts.decided_at
    late = {event.id for event in facts.events if decided_at and event.received_at and event.received_at > decided_at}
    if not late:
        return 0
    incidents = assess_facts(facts, policy=policy).incidents
    return sum(one.needs_a_look and not late.isdisjoint(one.event_ids) for one in incidents)


def _words(facts: Facts) -> dict[str, Any]:
    return {"judgements": facts.judgements, "allowed": facts.allowed, "covered": facts.covered}


def policy_of_facts(facts: Facts) -> Policy:
    """Its own version; whatever is used has one."""
    policy = policy_for(facts.version)
    return policy if policy.version is not None else policies.in_use()
