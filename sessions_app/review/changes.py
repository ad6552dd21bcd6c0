"""How people change a review: each change is one numbered entry of the history, and all else follows from it.

Two who saw the same state both want the same number, and the database gives it to one: that is the lock. The entry says
what is to be stored; a crash right after it loses nothing, since whoever comes next stores it first (`catch_up`). Raw
documents: an entry, and what follows from it, are written alike on every kind of server, with or without transactions.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import Model
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.documents import document_of
from sessions_app.counters import NEXT_REVISION
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, now, to_milliseconds
from sessions_app.review.errors import ReviewChanged
from sessions_app.review.models import EntryAction, PolicyRun, ReviewEntry

logger = logging.getLogger(__name__)

#: What an entry may store; a name in a document is never taken for a collection without a look here.
KINDS = frozenset({"incidents", "review_notes", "allowances"})
#: What changes no score: the stored ones stay those of the session as it is.
IN_NO_SCORE = frozenset({EntryAction.ASSIGNED, EntryAction.DUE, EntryAction.NOTED})


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants: for the history (`about`, `before`, `after`, `reason`), and what is stored of it."""

    action: EntryAction
    about: dict[str, Any]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str | None = None
    #: A row of one of KINDS, new or in place of the one with its id.
    row: Model | None = None
    #: Of the session.
    fields: dict[str, Any] | None = None


def revision_of(session: Session) -> int:
    return session.review_revision or 0


def require_seen(session: Session, seen: int) -> None:
    """The session as it is now, with all that was ever said about it stored. Raises ReviewChanged when that is not
    what the person saw, and SessionNotFound."""
    catch_up(session)
    if revision_of(session) != seen:
        raise ReviewChanged(ReviewEntry.objects.since(session.pk, seen))


def make(session: Session, change: Change, *, by: AbstractBaseUser, seen: int, at: datetime | None = None) -> None:
    """Make a change, as the next after the one that was seen. Raises ReviewChanged, and SessionNotFound for one that is
    deleted in that moment; nothing is changed then.

    The instance is fresh afterwards, but for the scores: `scores.score_closed`.
    """
    at = to_milliseconds(at or now())
    record(
        Action.CHANGED,
        ObjectKind.SESSION,
        session.pk,
        changes={"review": (_told(change.before), _told(change.after))},
        review=change.action.value,
        review_revision=seen + 1,
    )
    if change.row is not None:
        change.row.revision = seen + 1
    entry = ReviewEntry(
        id=f"{session.pk}/{seen + 1}",
        session_id=session.pk,
        revision=seen + 1,
        at=at,
        actor_id=str(by.pk),
        actor_name=by.get_username(),
        action=change.action,
        about=change.about,
        before=change.before,
        after=change.after,
        reason=change.reason,
        document=_stored(change.row),
        fields=change.fields,
    )
    document = document_of(entry)
    try:
        _history().insert_one(document, session=connection.session)
    except DuplicateKeyError as error:
        # The record above tells of what was wanted; this one that it was not done.
        record(Action.CHANGED, ObjectKind.SESSION, session.pk, review="refused", review_revision=seen + 1)
        raise ReviewChanged(ReviewEntry.objects.since(session.pk, seen)) from error
    logger.info("session %s: review %s", session.pk, change.action.value)
    _apply(document)
    _refresh_written(session)


def is_behind(session_id: str, revision: int) -> bool:
    """Whether there is an entry that a session of this review revision knows nothing of."""
    later = {"session_id": session_id, "revision": {"$gt": revision}}
    return _history().find_one(later, {"_id": 1}, session=connection.session) is not None


def catch_up(session: Session) -> None:
    """Store what follows from entries that a crash left behind; the instance is fresh afterwards."""
    session.refresh()
    after = {"session_id": session.pk, "revision": {"$gt": revision_of(session)}}
    left_behind = _history().find(after, session=connection.session).sort("revision", 1).to_list()
    for entry in left_behind:
        _apply(entry)
    if left_behind:
        logger.warning("session %s: %d review entries were completed", session.pk, len(left_behind))
        _refresh_written(session)


def delete(session_id: str) -> None:
    """All that was said about a session, with the session, and what a preview told of it. The audit log keeps that
    something was."""
    of_session = {"session_id": session_id}
    for collection in (*sorted(KINDS), ReviewEntry._meta.db_table):
        connection.get_collection(collection).delete_many(of_session, session=connection.session)
    runs, is_in_it = connection.get_collection(PolicyRun._meta.db_table), {"examples.session_id": session_id}
    runs.update_many(is_in_it, {"$pull": {"examples": of_session}}, session=connection.session)  # runs are few


def _apply(entry: dict[str, Any]) -> None:
    """May be done again, and by several at once: nothing older takes the place of anything newer."""
    if (stored := entry["document"]) and stored["collection"] in KINDS:
        rows, document = connection.get_collection(stored["collection"]), stored["document"]
        older = {"_id": document["_id"], "revision": {"$lt": document["revision"]}}
        with suppress(DuplicateKeyError):  # it is there, and is as new or newer
            rows.replace_one(older, document, upsert=True, session=connection.session)
    before = entry["revision"] - 1
    still = {"_id": entry["session_id"], "review_revision": {"$in": [0, None]} if before == 0 else before}
    fields = {**(entry["fields"] or {}), "review_revision": entry["revision"]}
    change: dict[str, Any] = {name: {"$literal": value} for name, value in fields.items()}
    if entry["action"] not in IN_NO_SCORE:
        change["revision"] = NEXT_REVISION
    connection.get_collection(Session._meta.db_table).update_one(still, [{"$set": change}], session=connection.session)


def _refresh_written(session: Session) -> None:
    """The same after something was written: a deletion may have been through before, and nobody else would find it."""
    try:
        session.refresh()
    except SessionNotFound:
        delete(session.pk)
        raise


def _stored(row: Model | None) -> dict[str, Any] | None:
    return None if row is None else {"collection": row._meta.db_table, "document": document_of(row)}


def _told(values: dict[str, Any] | None) -> Any:
    """For the audit log, which holds no names and no instants of BSON: states, severities and outcomes."""
    if not values:
        return None
    return {name: str(value) for name, value in values.items() if name in _FOR_THE_LOG and value is not None}


_FOR_THE_LOG = frozenset({"state", "severity", "outcome", "event_type", "assigned_to", "due_at", "is_revoked"})


def _history() -> Collection:
    return connection.get_collection(ReviewEntry._meta.db_table)
