"""What another policy would do to the closed sessions, and doing it: in batches, in the background or here.

May be killed anywhere. A session that is done has the new version, so that whoever goes on finds what is left; its old
score is in the history, under an id that one run makes once. What people decided is not touched.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from pymongo import UpdateOne
from pymongo.collection import Collection

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.jobs.queue import job, submit
from proctoring_site.mongo_engine.documents import document_of
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app.models import now
from sessions_app.policy import policy_of
from sessions_app.review import changes, scores
from sessions_app.review.facts import Facts, facts_of
from sessions_app.review.models import EntryAction, PolicyRun, ReviewEntry, RunKind
from sessions_app.review.scores import Scored

logger = logging.getLogger(__name__)

#: A batch is a job: short enough that other work gets its turn, long enough that its trips do not count.
BATCH = 500
EXAMPLES_MAX = 200
#: Sessions that changed while they were scored are looked for again.
SWEEPS_MAX = 3


def start(kind: RunKind, version: int, *, by: str) -> PolicyRun:
    """A preview or rescore with this policy, in the background; one that is not finished yet is answered instead.
    A new rescore ends those of other policies: two would undo each other.

    Raises NoSuchPolicy. `by`: a username.
    """
    run = begin(kind, version, by=by)
    _queue(run, run.cursor, number=0)
    return run


def begin(kind: RunKind, version: int, *, by: str) -> PolicyRun:
    """The same without handing it to anybody: for `go_on`."""
    policy_of(version)
    unfinished = PolicyRun.objects.unfinished(kind, version).first()
    if unfinished is not None and not _is_superseded(unfinished):
        return unfinished
    record(Action.CHANGED, ObjectKind.POLICY, str(version), run=kind.value)
    run = PolicyRun(kind=kind.value, policy_version=version, by=by, started_at=_later_than_all(kind))
    run.total = _sessions().count_documents(_left(version, ""), session=connection.session)
    _runs().insert_one(document_of(run), session=connection.session)
    if kind == RunKind.RESCORE:
        _end_older(run)
    return run


def go_on(run: PolicyRun, *, progress: Callable[[int], object] = lambda done: None) -> PolicyRun:
    """Do what is left of it, here. `progress` is told how many were done at a time."""
    after: str | None = run.cursor
    while after is not None:
        after = step(run.pk, after, progress=progress)
    run.refresh_from_db()
    return run


@job(name="policy_run")
def run_batch(key: str, *, run_id: str, after: str, number: int) -> None:
    run = PolicyRun.objects.filter(pk=run_id).first()
    if run is None:
        return
    further = step(run_id, after)
    if further is not None:
        _queue(run, further, number=number + 1)


def step(run_id: str, after: str, *, progress: Callable[[int], object] = lambda done: None) -> str | None:
    """One batch, of the sessions after this id; answers where the next begins, None when the run is finished.

    Nothing of a run that is finished or superseded: its job may be run again by an Operator, at any later time.
    """
    run = PolicyRun.objects.get(pk=run_id)
    if run.is_finished:
        return None
    ids = _ids(run.policy_version, after)
    facts = facts_of(ids)
    if _is_superseded(run):  # asked once the facts are read: what a newer one scores from now on is not overwritten
        _end(run, {"is_superseded": True})  # whoever began the newer one may have been killed before
        return None
    if not ids:
        return _sweep_or_finish(run)
    act = _preview_batch if run.kind == RunKind.PREVIEW else _rescore_batch
    progress(act(run, after, ids, facts))
    return ids[-1]


def _preview_batch(run: PolicyRun, after: str, ids: Sequence[str], facts: Mapping[str, Facts]) -> int:
    """Add up what would change. The sums move with the cursor in one update, so that no batch counts twice."""
    policy = policy_of(run.policy_version)
    scored = [scores.scored_under(one, policy) for one in facts.values() if one.is_closed]
    sums = _sums(scored)
    more = {"done": len(scored), **{name: sums[name] for name in ("changed_scores", "changed_bands")}}
    more |= {f"moves.{move}": n for move, n in sums["moves"].items()}
    examples = {"examples": {"$each": _examples(scored), "$slice": EXAMPLES_MAX}}
    change = {"$set": {"cursor": ids[-1]}, "$inc": more, "$push": examples}
    moved = _runs().update_one({"_id": run.pk, "cursor": after}, change, session=connection.session)
    if not moved.matched_count:
        logger.info("policy run %s: another worker was quicker", run.pk)
    return len(scored)


def _rescore_batch(run: PolicyRun, after: str, ids: Sequence[str], facts: Mapping[str, Facts]) -> int:
    """First the old scores into the history, then the new ones. Whoever repeats this, after a crash or beside another
    worker, leaves the first old score as it is."""
    facts = {pk: one for pk, one in facts.items() if one.is_closed and one.version != run.policy_version}
    policy = policy_of(run.policy_version)
    scored = [scores.scored_under(one, policy) for one in facts.values()]
    if scored:
        _history().bulk_write(
            [_kept(entry) for entry in _entries(run, scored)], ordered=False, session=connection.session
        )
    done = scores.store(facts, scored)
    _forget_deleted(facts.keys() - done)
    moved = {"$set": {"cursor": ids[-1]}, "$inc": {"done": len(done)}}
    _runs().update_one({"_id": run.pk}, moved, session=connection.session)
    return len(done)


def _forget_deleted(session_ids: Set[str]) -> None:
    """Of sessions that were deleted since their facts were read, the history has an entry that nobody would find."""
    if session_ids:
        there = _sessions().find({"_id": {"$in": list(session_ids)}}, {"_id": 1}, session=connection.session)
        for pk in session_ids - {row["_id"] for row in there}:
            changes.delete(pk)


def _sweep_or_finish(run: PolicyRun) -> str | None:
    """Whatever was closed or changed meanwhile gets its turn; then the sums are taken from what was done."""
    if run.kind == RunKind.PREVIEW:
        _end(run, {})
        return None
    left = _ids(run.policy_version, "")
    if left and run.sweeps < SWEEPS_MAX:
        again = {"$set": {"cursor": ""}, "$inc": {"sweeps": 1}}
        _runs().update_one({"_id": run.pk}, again, session=connection.session)
        return ""
    if left:
        logger.warning("policy run %s: some sessions could not be scored anew", run.pk)
    entries = ReviewEntry.objects.filter(run_id=run.pk).order_by("run_id", "id").only("before", "after", "session_id")
    done = [Scored(e.session_id, run.policy_version, e.before, e.after) for e in entries.iterator()]
    _end(run, _sums(done) | {"done": len(done), "examples": _examples(done)[:EXAMPLES_MAX]})
    return None


def _sums(scored: Sequence[Scored]) -> dict[str, Any]:
    moves = Counter(f"{one.before['reviewed_band'] or 'none'}>{one.after['reviewed_band']}" for one in scored)
    return {
        "changed_scores": sum(one.before["reviewed_score"] != one.after["reviewed_score"] for one in scored),
        "changed_bands": sum(one.changes_band for one in scored),
        "moves": {move: n for move, n in moves.items() if len(set(move.split(">"))) == 2},
    }


def _examples(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    changed = sorted((one for one in scored if one.changes_band), key=lambda one: one.after["reviewed_score"])
    return [
        {
            "session_id": one.session_id,
            "from_band": one.before["reviewed_band"],
            "to_band": one.after["reviewed_band"],
            "from_score": one.before["reviewed_score"],
            "to_score": one.after["reviewed_score"],
        }
        for one in changed
    ]


_TOLD = ("policy_version", "machine_score", "reviewed_score", "reviewed_band")


def _entries(run: PolicyRun, scored: Sequence[Scored]) -> list[dict[str, Any]]:
    at = naive_utc(now())
    common = {"at": at, "actor_id": "", "actor_name": run.by, "action": EntryAction.SCORED.value, "run_id": run.pk}
    common |= {"revision": None, "about": {}, "reason": None, "document": None, "fields": None}
    return [
        {
            "_id": f"{run.pk}/{one.session_id}",
            "session_id": one.session_id,
            "before": {name: one.before.get(name) for name in _TOLD},
            "after": {**{name: one.after.get(name) for name in _TOLD}, "policy_version": one.policy_version},
            **common,
        }
        for one in scored
    ]


def _kept(entry: dict[str, Any]) -> UpdateOne:
    """What the score was stays as it was written first; what it is may be told again."""
    first = {name: value for name, value in entry.items() if name not in ("_id", "after")}
    return UpdateOne({"_id": entry["_id"]}, {"$set": {"after": entry["after"]}, "$setOnInsert": first}, upsert=True)


def _later_than_all(kind: RunKind) -> datetime:
    """Now, and after each that was begun, whatever the clock of another machine says."""
    newest = PolicyRun.objects.filter(kind=kind.value).newest_first().first()
    return now() if newest is None else max(now(), newest.started_at + timedelta(milliseconds=1))


def _is_superseded(run: PolicyRun) -> bool:
    """Whether a newer rescore was begun."""
    started_at = naive_utc(run.started_at)
    later = [{"started_at": {"$gt": started_at}}, {"started_at": started_at, "_id": {"$gt": run.pk}}]
    newer = {"kind": RunKind.RESCORE.value, "$or": later}
    is_rescore = run.kind == RunKind.RESCORE
    return is_rescore and _runs().find_one(newer, {"_id": 1}, session=connection.session) is not None


def _end_older(run: PolicyRun) -> None:
    """All other rescores that go on still. Of two that begin at once, the newer one stays (`_is_superseded`)."""
    started_at = naive_utc(run.started_at)
    earlier = [{"started_at": {"$lt": started_at}}, {"started_at": started_at, "_id": {"$lt": run.pk}}]
    older = {"kind": run.kind, "finished_at": None, "$or": earlier}
    ended = {"$set": {"finished_at": naive_utc(now()), "is_superseded": True}}
    if count := _runs().update_many(older, ended, session=connection.session).modified_count:
        logger.info("policy run %s: took the place of %d others", run.pk, count)


def _end(run: PolicyRun, sums: dict[str, Any]) -> None:
    finished = {"$set": {**sums, "finished_at": naive_utc(now())}}
    _runs().update_one({"_id": run.pk, "finished_at": None}, finished, session=connection.session)


def _queue(run: PolicyRun, after: str, *, number: int) -> None:
    submit(run_batch, f"{run.pk}:{number}", run_id=run.pk, after=after, number=number)


def _ids(version: int, after: str) -> list[str]:
    rows = _sessions().find(_left(version, after), {"_id": 1}, session=connection.session)
    return [row["_id"] for row in rows.sort("_id", 1).limit(BATCH)]


def _left(version: int, after: str) -> dict[str, Any]:
    """Closed sessions after this id that were scored with another version, or never."""
    return {"_id": {"$gt": after}, "end_time": {"$ne": None}, "policy_version": {"$ne": version}}


def _sessions() -> Collection:
    return connection.get_collection("sessions")


def _history() -> Collection:
    return connection.get_collection(ReviewEntry._meta.db_table)


def _runs() -> Collection:
    return connection.get_collection(PolicyRun._meta.db_table)
