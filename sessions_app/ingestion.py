"""How events come in: each once, counted, with a time that can be trusted, whoever sends it how often.

Raw documents, since a group of events has many sessions and the ORM has no word for "insert what is not there yet". The
order of the steps is that of counters.py: count first, then store; what turns out to be there already is counted off
again. A crash in between leaves a count too high, which mending.py mends, or `recount` when the session ends.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection
from pymongo.errors import BulkWriteError, WriteConcernError, WriteError

from proctoring_site.mongo_engine.documents import as_majority_has, is_storable
from proctoring_site.mongo_engine.group_commit import Document, GroupCommit, Outcome
from proctoring_site.mongo_engine.group_insert import DUPLICATE_KEY
from proctoring_site.mongo_engine.instants import instant_of
from sessions_app import counters, counting, event_limit
from sessions_app.errors import (
    EventIdConflict,
    EventNotStorable,
    EventUndecided,
    SessionClosed,
    SessionNotFound,
    TooManyEvents,
)
from sessions_app.models import Mark
from sessions_app.policy import active_policy
from sessions_app.reported import CLOCK_TOLERANCE
from sessions_app.review.scores import score_soon

#: The document's own fault: BadValue, InvalidBSON, DollarPrefixedFieldName, DocumentValidationFailure, two of size. Any
#: other refusal (a full disk, an internal error) is the server's; a client that gave the event up then would lose it.
NOT_STORABLE = frozenset({2, 22, 52, 121, 10334, 17280})
#: How long a duplicate's first copy may take to reach the majority before the client is asked to try again. Everybody
#: whose events wait does so behind this.
SETTLE_TRIES, SETTLE_S = 5, 0.05


def write(documents: Sequence[Document], *, are_storable: bool = False) -> Sequence[Outcome]:
    """Store each once. An outcome per document: (as stored, whether this call created it), or why it is not stored.

    `are_storable`: it is known already that BSON can say each; one that it cannot say would fail the whole group.
    Raises what the database raises when nobody can know what became of the group; sending again with ids is safe.
    """
    commit_them = commit if connection.session is not None else _writer.submit  # a transaction is its thread's own
    if are_storable or is_storable({"all": documents}):
        return commit_them(documents) if documents else ()
    storable = [document for document in documents if is_storable(document)]
    outcomes = iter(commit_them(storable) if storable else ())
    taken = set(map(id, storable))
    return [next(outcomes) if id(document) in taken else EventNotStorable() for document in documents]


def commit(documents: Sequence[Document]) -> list[Outcome]:
    """Count and store a group, of any sessions. Never raises for a single document; that is its outcome."""
    by_session: dict[str, list[int]] = {}
    for n, document in enumerate(documents):
        by_session.setdefault(document["session_id"], []).append(n)
    outcomes: list[Outcome | None] = [None] * len(documents)
    keys: dict[int, str] = {}
    # A transaction would end with the first session that is not plainly open.
    rest = by_session if connection.session is not None else counting.count_open(by_session, documents, keys)
    if rest:
        _look_and_count(rest, documents, keys, outcomes)
    taken = sorted(keys)
    refused = {taken[at]: code for at, code in _insert([documents[n] for n in taken]).items()}
    if refused:
        counting.count(documents, {n: keys[n] for n in refused}, by=-1)
    doubles = [documents[n]["_id"] for n, code in refused.items() if code == DUPLICATE_KEY]
    there = _stored(doubles) if doubles else {}
    for n in taken:
        match refused.get(n):
            case None:
                outcomes[n] = (documents[n], True)
            case code if code == DUPLICATE_KEY:
                outcomes[n] = _duplicate(documents[n], there.get(documents[n]["_id"]))
            case code if code in NOT_STORABLE:
                outcomes[n] = EventNotStorable()
            case _:
                outcomes[n] = EventUndecided()
    return outcomes


_writer = GroupCommit(commit)


def _look_and_count(
    by_session: Mapping[str, Sequence[int]],
    documents: Sequence[Document],
    keys: dict[int, str],
    outcomes: list[Outcome | None],
) -> None:
    """Count those that can be taken, and say of the others why not."""
    sessions = _sessions_of(by_session)
    counted: dict[int, str] = {}
    refused: list[int] = []
    weighed = active_policy().weights
    for pk, own in by_session.items():
        counts = sessions[pk]["event_counts"] if pk in sessions else {}
        total = sum(counts.values())
        for n in own:
            outcomes[n] = _refusal(sessions.get(pk), documents[n])
            if outcomes[n] is None and total >= event_limit.most_with(documents[n]):
                outcomes[n] = TooManyEvents()
            if outcomes[n] is None:
                total += 1
                counted[n] = counters.key_among(counts, documents[n]["event_type"], weighed=weighed)
            elif isinstance(outcomes[n], (SessionClosed, TooManyEvents)) and "digest" in documents[n]:
                refused.append(n)
        event_limit.note_total(pk, total)
    if refused:
        _know_again(refused, documents, outcomes)
    ends = {pk: session.get("end_time") for pk, session in sessions.items()}
    uncounted = counting.count(documents, counted, by=1, ends=ends)
    for n, key in counted.items():
        outcomes[n] = uncounted.get(documents[n]["session_id"])
        if outcomes[n] is None:
            keys[n] = key
    ended = {pk: by_session[pk] for pk, why in uncounted.items() if isinstance(why, SessionClosed)}
    if ended:  # each once: they do not begin again
        _look_and_count(ended, documents, keys, outcomes)


def _know_again(refused: Sequence[int], documents: Sequence[Document], outcomes: list[Outcome | None]) -> None:
    """Of those that come too late, or are too many: a resend of what is stored gets the answer that was lost."""
    there = _stored([documents[n]["_id"] for n in refused], tries=1)
    for n in refused:
        known = _duplicate(documents[n], there.get(documents[n]["_id"]))
        if not isinstance(known, Exception):
            outcomes[n] = known


def _sessions_of(session_ids: Iterable[str]) -> dict[str, Document]:
    """The sessions by id, each such that events can be added to its counts; what is missing is not there."""
    ids = list(session_ids)
    sessions = counting.find_sessions(ids)
    uncounted = [session for session in sessions.values() if not counters.is_countable(session)]
    if uncounted:
        counters.make_countable(uncounted, weighed=active_policy().weights)
        sessions.update(counting.find_sessions([session["_id"] for session in uncounted]))
    return sessions


def _refusal(session: Document | None, document: Document) -> Exception | None:
    """Why the event cannot be taken. None when it can; then its marks say how it lies to the session's times."""
    if session is None:
        return SessionNotFound()
    start, end = instant_of(session.get("start_time")), instant_of(session.get("end_time"))
    if start and document["occurred_at"] < start - CLOCK_TOLERANCE:
        _mark(document, Mark.BEFORE_START)
    if end and document["received_at"] > end:
        # An expired session ended with its last sign of life; the client has its time from when it was closed.
        closed = max([end, *(instant_of(move["at"]) for move in session.get("moves") or ())])
        if document["received_at"] > closed + timedelta(seconds=settings.EVENT_GRACE_S):
            return SessionClosed()
        _mark(document, Mark.LATE)
    if end:  # also of what came in time and waited: the score may be there already
        score_soon(document["session_id"], document["received_at"])
    return None


def _mark(document: Document, mark: Mark) -> None:
    marks = document.setdefault("marks", [])
    if mark.value not in marks:  # looked at before
        marks.append(mark.value)


def _insert(documents: Sequence[Document]) -> dict[int, int]:
    """Insert each on its own; the server's error codes of those that it refused, by their place."""
    if not documents:
        return {}
    if connection.session is not None:
        return _insert_in_transaction(documents)
    events = connection.get_collection("events")
    try:
        if len(documents) == 1:  # the driver's bulk machinery costs twice as much as the plain insert
            events.insert_one(documents[0])
        else:
            events.insert_many(documents, ordered=False)
    except WriteConcernError:
        raise
    except WriteError as error:
        return {0: error.code}
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        return {fault["index"]: fault["code"] for fault in error.details["writeErrors"]}
    return {}


def _insert_in_transaction(documents: Sequence[Document]) -> dict[int, int]:
    """The same where a refused insert would end the caller's transaction: look before."""
    events = connection.get_collection("events")
    ids = [document["_id"] for document in documents]
    there = {row["_id"] for row in events.find({"_id": {"$in": ids}}, {"_id": 1}, session=connection.session)}
    fresh, refused = [], {}
    for n, document in enumerate(documents):
        if document["_id"] in there:
            refused[n] = DUPLICATE_KEY
        else:
            there.add(document["_id"])
            fresh.append(document)
    if fresh:
        events.insert_many(fresh, session=connection.session)
    return refused


def _stored(ids: Sequence[str], *, tries: int = SETTLE_TRIES) -> dict[str, Document]:
    """The first copies of duplicates, once a majority has them: only then may they be acknowledged as stored."""
    events = as_majority_has("events")
    found: dict[str, Document] = {}
    for look in range(tries):
        if look:
            time.sleep(SETTLE_S)
        found = {
            document["_id"]: document
            for document in events.find({"_id": {"$in": list(ids)}}, session=connection.session)
        }
        if len(found) == len(set(ids)):
            break
    return found


def _duplicate(document: Document, stored: Document | None) -> Outcome:
    if stored is None:
        return EventUndecided()
    same = stored["session_id"] == document["session_id"] and stored.get("digest") == document.get("digest") is not None
    return (stored, False) if same else EventIdConflict()
