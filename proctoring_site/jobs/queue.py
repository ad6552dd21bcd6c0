"""Submitting, taking and running jobs. The rows say what is to be done; a broker or a thread only hurries it.

A job is taken by one update that only one can win, held by a lease, and given back when that runs out: so it is run
again when its worker was killed, and by nobody else while it runs. Its function must bear to be run again.
"""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from proctoring_site.jobs.models import Job, JobState, new_id
from proctoring_site.jobs.reasons import costs_no_try, reason_of, speaks_to_people
from proctoring_site.jobs.renewal import renewed
from proctoring_site.mongo_engine.away import is_away
from proctoring_site.mongo_engine.instants import naive_utc

logger = logging.getLogger(__name__)

#: A message that a broker lost is sent again after this long; one that only waits its turn does no harm twice.
TOLD_AGAIN_AFTER_S = 60
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2, 600
#: While a release is rolled out, processes of both work on one queue: what this one does not know, another may. What
#: nobody took for so long nobody knows, and somebody must hear of it.
LEFT_TO_OTHERS_S = 86_400
#: A weekend, after which a person has seen a full disk. What still fails then may be one object that its storage
#: refuses for ever: it has to fail, or nobody hears of it, and what waits for it waits for ever, too.
OUTAGE_AT_MOST_S = 3 * 86_400
ERROR_MAX_LENGTH = 300


class WorkerLost(Exception):
    """Nobody wrote down how the last try went: it may well have been the job that ended its worker."""

    sentence = "The worker was lost, at the last try."


class UnknownTask(Exception):
    sentence = "This release has no such task."


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    function: Callable[..., None]
    max_attempts: int
    give_up: Callable[..., None] | None = None


TASKS: dict[str, Task] = {}
#: What this process ran, and could not write down how it went: the database went away meanwhile.
_unwritten: list[Job] = []
_wake: list[Callable[[str], None]] = []


def job(
    *, name: str, max_attempts: int = 8, give_up: Callable[..., None] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a task of `function(key, **arguments)`; the arguments must be JSON.

    `give_up` is called with the same after the job has failed for good, at most once for each time that it does: not
    where its process is killed in that moment.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        TASKS[name] = Task(name, function, max_attempts, give_up)
        function.task_name = name
        return function

    return register


def on_submit(call: Callable[[str], None]) -> None:
    """Whoever takes jobs in this process, or hands them to others, is told the id of each that may be taken."""
    _wake.append(call)


def submit(function: Callable[..., None], key: str, *, pause_s: float = 0, **arguments: Any) -> Job:
    """Have it done soon, or once `pause_s` has passed. One that waits or runs for the same key is answered, and no
    second one made."""
    task = TASKS[function.task_name]
    waiting = Job(task=task.name, key=key, arguments=arguments, slot=f"{task.name}:{key}")
    waiting.id, queued = _insert(waiting, pause_s)
    if queued and not pause_s:
        tell(waiting.pk)
    return waiting


def tell(job_id: str) -> None:
    for call in _wake:
        try:
            call(job_id)
        except Exception:  # a broker that is away must not fail the request: the job waits, and is found
            logger.warning("job %s waits: whoever should run it could not be told", job_id)


def take(job_id: str | None = None, *, not_begun_since: datetime | None = None) -> Job | None:
    """The right to run this job, or the one that is due longest; None when there is none, or others have it."""
    while _unwritten:
        _put_back(_unwritten[-1])
        _unwritten.pop()
    at = timezone.now()
    which: dict[str, Any] = {"_id": job_id} if job_id else {}
    if not_begun_since:
        which["started_at"] = {"$not": {"$gte": naive_utc(not_begun_since)}}
    for wanted in _takeable(at):
        document = _jobs().find_one_and_update(
            wanted | which,
            [
                {
                    "$set": {
                        "state": JobState.RUNNING.value,
                        "started_at": naive_utc(at),
                        "runs_until": _lease(),
                        "runner": str(uuid4()),
                        "attempts": {"$add": ["$attempts", 1]},
                    }
                }
            ],
            sort=[("not_before", ASCENDING)],
            projection=["_id"],
            session=connection.session,
            return_document=ReturnDocument.AFTER,
        )
        if document:
            return Job.objects.get(pk=document["_id"])
    return None


def run(taken: Job) -> bool:
    """Do it, and write down how it went. True when it is done for good, well or not.

    Where that cannot be written, it is put back with all its tries before this process takes another; should the
    database be away for longer than its lease, somebody else may be quicker, and have one less.
    """
    try:
        return _run(taken)
    except (PyMongoError, DatabaseError):
        _unwritten.append(taken)
        raise


def _run(taken: Job) -> bool:
    task = TASKS.get(taken.task)
    try:
        with _kept(taken):
            if task is None:
                raise UnknownTask(UnknownTask.sentence)
            if taken.attempts > task.max_attempts:
                raise WorkerLost(f"The worker was lost, at the last of {task.max_attempts} tries.")
            task.function(taken.key, **taken.arguments)
    except Exception as error:
        return _failed(taken, error, task)
    except BaseException:
        give_back(taken)
        raise
    _write(taken, state=JobState.DONE.value, finished_at=naive_utc(timezone.now()), slot=None, error=None)
    return True


def give_back(taken: Job) -> None:
    """Since this process is told to stop: another has it at once, with all its tries."""
    try:
        _put_back(taken)
    except Exception:
        logger.warning("job %s could not be given back: it waits until its lease has run out", taken.pk)


def _put_back(taken: Job) -> None:
    """As if it had not been taken."""
    back = {"attempts": taken.attempts - 1, "told_at": None}
    _write(taken, state=JobState.WAITING.value, not_before=naive_utc(timezone.now()), **back)


def run_waiting() -> int:
    """Everything that is due, and what comes of it, here, one after the other; answers how many that were. Each once:
    where many fail, the first are due again before the last was tried, for as long as an outage lasts."""
    count, began = 0, timezone.now()
    while taken := take(not_begun_since=began):
        run(taken)
        count += 1
    return count


def run_again(failed: Job) -> bool:
    """Put a failed job back into the queue; False when it is none, or the same thing waits already."""
    slot = f"{failed.task}:{failed.key}"
    at = naive_utc(timezone.now())
    back = {
        "state": JobState.WAITING.value,
        "attempts": 0,
        "not_before": at,
        "finished_at": None,
        "slot": slot,
        "told_at": at,
    }
    wanted = {"_id": failed.pk, "state": JobState.FAILED.value}
    try:
        put_back = _jobs().update_one(wanted, {"$set": back}, session=connection.session).matched_count == 1
    except DuplicateKeyError:
        return False
    if put_back:
        tell(failed.pk)
    return put_back


def due() -> int:
    """How many jobs could be taken now."""
    return sum(_jobs().count_documents(wanted, session=connection.session) for wanted in _takeable(timezone.now()))


def longest_due_s(at: datetime) -> int:
    """For how long the job has been due that is due longest; 0 when none is."""
    since = []
    for wanted, field in zip(_takeable(at), ("not_before", "runs_until"), strict=True):
        found = _jobs().find_one(wanted, [field], sort=[(field, ASCENDING)], session=connection.session)
        since += [found[field]] if found else []
    return int((naive_utc(at) - min(since)).total_seconds()) if since else 0


def requeue() -> int:
    """Tell again of every job that is due or was lost with its worker, and that nobody was told of lately; answers how
    many. Safe at any time and on several machines: each job is told of by one of them."""
    at = timezone.now()
    count = 0
    not_lately = {"told_at": {"$not": {"$gte": naive_utc(at - timedelta(seconds=TOLD_AGAIN_AFTER_S))}}}
    not_since = {"$expr": {"$lt": ["$told_at", "$runs_until"]}}  # its worker was lost
    for takeable in _takeable(at):
        wanted = {"$and": [takeable, {"$or": [not_lately, not_since]}]}
        # Else one whose last lease has not run out by this clock is told of again at once, until somebody takes it.
        told = [{"$set": {"told_at": {"$max": [naive_utc(at), "$runs_until"]}}}]
        while document := _jobs().find_one_and_update(wanted, told, projection=["_id"], session=connection.session):
            tell(document["_id"])
            count += 1
    return count


def _takeable(at: datetime) -> list[dict[str, Any]]:
    """What is due, and what was lost with its worker: of tasks that this process has, and of those that none has."""
    left = naive_utc(at - timedelta(seconds=LEFT_TO_OTHERS_S))
    is_due = {"not_before": {"$lte": naive_utc(at)}}
    is_lost = {"$expr": {"$lte": ["$runs_until", "$$NOW"]}}  # by the database's clock, as the lease was given
    return [
        {"state": state.value, **wanted, "$or": [{"task": {"$in": list(TASKS)}}, {since: {"$lte": left}}]}
        for state, wanted, since in (
            (JobState.WAITING, is_due, "not_before"),
            (JobState.RUNNING, is_lost, "runs_until"),
        )
    ]


def _insert(waiting: Job, pause_s: float) -> tuple[str, bool]:
    """By slot: find or make in one step. Answers the id that has the slot, and whether this call made it."""
    at = naive_utc(timezone.now())
    fields = {"_id": new_id(), "task": waiting.task, "key": waiting.key, "arguments": waiting.arguments, "attempts": 0}
    fields |= {"state": JobState.WAITING.value, "queued_at": at, "not_before": at + timedelta(seconds=pause_s)}
    fields["told_at"] = None if pause_s else at  # whoever looks again finds it when it is due
    fields |= dict.fromkeys(("error", "started_at", "finished_at", "runs_until", "runner"))
    found = None
    while found is None:
        try:
            found = _jobs().find_one_and_update(
                _having(waiting.slot),
                {"$setOnInsert": fields},
                upsert=True,
                projection=["_id"],
                return_document=ReturnDocument.AFTER,
                session=connection.session,
            )
        except DuplicateKeyError:  # another made it in the same moment
            continue
    return found["_id"], found["_id"] == fields["_id"]


def _having(slot: str) -> dict[str, Any]:
    """With its type, since the index of the slots has only those that are text: without, every job would be read."""
    return {"slot": {"$eq": slot, "$type": "string"}}


def _failed(taken: Job, error: Exception, task: Task | None) -> bool:
    """For another try after a pause, or for good."""
    reason = reason_of(error)[:ERROR_MAX_LENGTH]
    at = timezone.now()
    is_free = costs_no_try(error) and at - taken.queued_at < timedelta(seconds=OUTAGE_AT_MOST_S)
    if task is None or (taken.attempts >= task.max_attempts and not is_free):
        logger.exception("job %s (%s) failed for good", taken.pk, taken.task)
        if _write(taken, state=JobState.FAILED.value, error=reason, finished_at=naive_utc(at), slot=None):
            _give_up(taken, task)
        return True
    if is_free:  # the longer the job waits, the seldomer it is tried
        attempts, pause_s = taken.attempts - 1, (at - taken.queued_at).total_seconds() / 10
    else:
        attempts, pause_s = taken.attempts, FIRST_PAUSE_S * 2 ** (taken.attempts - 1)
    pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause_s)) * random.uniform(0.5, 1)  # noqa: S311
    told = (taken.pk, taken.task, type(error).__name__, reason)
    details = None if speaks_to_people(error) or is_away(error) else error
    logger.warning("job %s (%s) failed with %s and is tried again: %s", *told, exc_info=details)
    again = {"attempts": attempts, "not_before": naive_utc(at + timedelta(seconds=pause_s)), "told_at": None}
    _write(taken, state=JobState.WAITING.value, error=reason, **again)
    return False


def _give_up(failed: Job, task: Task | None) -> None:
    """Whatever becomes of it, the job has failed, and with its own sentence."""
    if task is None or task.give_up is None:
        return
    try:
        task.give_up(failed.key, **failed.arguments)
    except Exception:
        logger.exception("job %s (%s) could not be given up", failed.pk, failed.task)


def _write(taken: Job, **fields: Any) -> bool:
    """As long as the job is still this runner's; whether it was."""
    return _update(taken, {"$set": fields})


def _update(taken: Job, change: Any) -> bool:
    mine = {"_id": taken.pk, "runner": taken.runner, "state": JobState.RUNNING.value}
    return _jobs().update_one(mine, change, session=connection.session).matched_count == 1


def _kept(taken: Job) -> AbstractContextManager[None]:
    """Renews the lease while the function runs."""
    if settings.JOBS == "by hand":  # inside of a test's transaction no other thread sees the row
        return nullcontext()

    def renew() -> bool:
        return _update(taken, [{"$set": {"runs_until": _lease()}}])

    return renewed(f"job {taken.pk}", renew, every_s=settings.JOB_LEASE_S / 3)


def _lease() -> dict[str, Any]:
    """In the database, since the clocks of two machines differ."""
    return {"$add": ["$$NOW", settings.JOB_LEASE_S * 1000]}


def _jobs() -> Any:
    return connection.get_collection(Job._meta.db_table)
