"""Events per type, kept with the session, exact while many writers add at once.

Raw pymongo: one `$inc` counts an event and proves that its session exists, in a single round trip; the ORM has no
word for a counter inside a document. The rule that keeps counts exact: **count first, then store the event**. Only
then may a session without counts (adopted from the earlier service) be counted by whoever comes first: nobody has
stored an event of the new kind before the counts were there. A crash between the two steps leaves a count too high. It
is too low only where a failover or a killed server took back a count (w=1) and not its event, which the driver stored
on the next primary. mending.py mends both while the session runs, `recount` when it ends.
"""

import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

from django.db import connection
from pymongo import UpdateOne
from pymongo.collection import Collection

from sessions_app.errors import SessionNotFound

#: Distinct types that one session counts by name. Types that the policy weighs are always counted by name, so that
#: a client cannot hide a phone behind a hundred invented types.
DISTINCT_TYPES_MAX = 100
#: Where further types are counted together. No type has this key: a `%` in a type is written `%25`.
OTHER_KEY = "%other"
OTHER_TYPES = "(other types)"
EMPTY_KEY = "%empty"

#: A writer between its two steps is given this long before a difference counts as a crash.
SETTLE_S = 0.1
SETTLE_TRIES = 10

Counts = Mapping[str, int]
#: Where counts are wrong: key → (counted, stored).
Differences = Mapping[str, tuple[int, int]]
#: What is larger is no number of events, and soon none to which the server can add.
ADDED_TO_MAX = 2**62
_CAN_GO_UP = {"$and": [{"$isNumber": "$revision"}, {"$gte": ["$revision", 0]}, {"$lt": ["$revision", ADDED_TO_MAX]}]}
#: What a change makes of `revision`: a whole number, also where it is none, to which `$inc` could not add.
NEXT_REVISION = {"$add": [{"$cond": [_CAN_GO_UP, {"$toLong": "$revision"}, 0]}, 1]}


def key_of(event_type: str) -> str:
    """The field name for a type: `%`, `.`, `$` and NUL, which mean something in a path, are percent-encoded."""
    escaped = event_type.replace("%", "%25").replace(".", "%2E").replace("$", "%24").replace("\0", "%00")
    return escaped or EMPTY_KEY


def type_of(key: str) -> str:
    if key == OTHER_KEY:
        return OTHER_TYPES
    if key == EMPTY_KEY:
        return ""
    return key.replace("%00", "\0").replace("%24", "$").replace("%2E", ".").replace("%25", "%")


def by_type(event_counts: object) -> dict[str, int]:
    """What is stored with a session, as type → count. What is no number in an adopted one is 0 until it is counted."""
    counts: Counter[str] = Counter()
    for key, n in event_counts.items() if isinstance(event_counts, dict) else ():
        try:
            counts[type_of(key)] += int(n)  # a client may send a type that reads like OTHER_TYPES
        except (TypeError, ValueError, OverflowError):
            counts[type_of(key)] += 0
    return dict(counts)


def total(event_counts: object) -> int | None:
    """How many events a session counts as it is stored. None: it has no counts, or what is no number among them."""
    try:
        return sum(event_counts.values())
    except (AttributeError, TypeError):
        return None


def is_countable(session: Mapping[str, Any]) -> bool:
    """Whether its next event can be added to its counts and its revision, as they are stored."""
    counts = session.get("event_counts")
    return is_number(session.get("revision", 0)) and isinstance(counts, dict) and all(map(_is_count, counts.items()))


def _is_count(entry: tuple[str, Any]) -> bool:
    key, n = entry
    return is_number(n) and key != "" and not {".", "$"}.intersection(key)


def is_number(value: object) -> bool:
    """Whether one can be added to it, and is not lost in it."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and abs(value) < ADDED_TO_MAX and value + 1 != value


def key_among(counts: dict[str, int], event_type: str, *, weighed: Container[str]) -> str:
    """Where an event is counted: under its type, or with the others once the session counts many types by name. A new
    key is put among `counts`.

    `weighed` are the types that the policy names; they are exempt from DISTINCT_TYPES_MAX.
    """
    key = key_of(event_type)
    if key not in counts and event_type not in weighed and len(counts) >= DISTINCT_TYPES_MAX:
        return OTHER_KEY
    counts.setdefault(key, 0)
    return key


def count_events(types: Mapping[str, Counts], *, weighed: Container[str]) -> None:
    """Count events that are about to be stored, in two trips: session id → type → how many. The sessions have counts.

    Raises SessionNotFound when one of them is gone; the others are counted then, and `recount` mends it.
    """
    found = _sessions().find({"_id": {"$in": list(types)}}, {"event_counts": 1}, session=connection.session)
    changes = []
    for session in found:
        more: Counter[str] = Counter()
        for event_type, n in types[session["_id"]].items():
            more[key_among(session["event_counts"], event_type, weighed=weighed)] += n
        step = {"$inc": {**{f"event_counts.{key}": n for key, n in more.items()}, "revision": 1}}
        changes.append(UpdateOne({"_id": session["_id"]}, step))
    done = _sessions().bulk_write(changes, ordered=False, session=connection.session).matched_count if changes else 0
    if done < len(types):
        raise SessionNotFound


def count_adopted(session_ids: Iterable[str], *, weighed: Container[str]) -> None:
    """Give sessions that have no counts yet the counts of their stored events; others stay as they are."""
    ids = list(session_ids)
    if not ids:
        return
    stored = _stored_types(ids)
    _sessions().bulk_write(
        [
            UpdateOne(
                {"_id": session_id, "event_counts": {"$not": {"$type": "object"}}},
                {"$set": {"event_counts": _under_safe_keys(stored[session_id], weighed=weighed)}},
            )
            for session_id in ids
        ],
        ordered=False,
        session=connection.session,
    )


def make_countable(sessions: Iterable[Mapping[str, Any]], *, weighed: Container[str]) -> None:
    """Set what is no number in these sessions, as they were read with `event_counts` and `revision`. One whose counts
    somebody has changed since stays as it is.

    Exact, as with adopted ones: to what is no number nobody could add, so nobody has stored what is not counted here.
    """
    found = {session["_id"]: session for session in sessions}
    stored = _stored_types(list(found))
    changes = []
    for pk, session in found.items():
        counts, can_go_up = session.get("event_counts"), is_number(session.get("revision", 0))
        kept = counts if isinstance(counts, dict) else {}
        told = _under_safe_keys(stored[pk], weighed=weighed, keep=kept)
        if can_go_up:  # others may be counting at this moment, where that can be added to
            told |= {key: n for key, n in kept.items() if _is_count((key, n))}
        still = {"$eq": counts} if isinstance(counts, dict) else {"$not": {"$type": "object"}}
        step = {"event_counts": {"$literal": told}, **({} if can_go_up else {"revision": NEXT_REVISION})}
        changes.append(UpdateOne({"_id": pk, "event_counts": still}, [{"$set": step}]))
    _sessions().bulk_write(changes, ordered=False, session=connection.session)


def correct(session_ids: Iterable[str], *, weighed: Container[str]) -> int:
    """Set the counts of sessions that nobody writes to any more to what is stored; answers how many differed."""
    ids = list(session_ids)
    found = _sessions().find({"_id": {"$in": ids}}, {"event_counts": 1}, session=connection.session).to_list()
    stored = _stored_types(ids)
    changes = []
    for session in found:
        kept = session.get("event_counts") if isinstance(session.get("event_counts"), dict) else {}
        counts = _under_safe_keys(stored[session["_id"]], weighed=weighed, keep=kept)
        if counts != kept:
            unchanged = {"_id": session["_id"], "event_counts": session.get("event_counts")}
            step = {"event_counts": {"$literal": counts}, "revision": NEXT_REVISION}
            changes.append(UpdateOne(unchanged, [{"$set": step}]))
    if changes:
        _sessions().bulk_write(changes, ordered=False, session=connection.session)
    return len(changes)


def recount(session_id: str, *, weighed: Container[str]) -> bool | None:
    """Set a session's counts to what is stored. True when they differed and were mended, False when they are right.

    A difference may be a writer between its two steps. So it must stand still for SETTLE_S × SETTLE_TRIES before it
    is taken for the trace of a crash, and while others still write, nothing is touched: their counts are exact, and the
    answer is None. A writer may be slower than that: unless the answer is False, look again when nobody can be.
    """
    first_seen: int | None = None
    for look in range(SETTLE_TRIES):
        revision, kept = _look(session_id)
        if kept is None:
            count_adopted([session_id], weighed=weighed)
            return True
        stored = _under_safe_keys(_stored_types([session_id])[session_id], weighed=weighed, keep=kept)
        if stored == kept:
            return False
        if look and revision != first_seen:
            return None
        first_seen = revision
        time.sleep(SETTLE_S)
    mended = [{"$set": {"event_counts": {"$literal": stored}, "revision": NEXT_REVISION}}]
    unchanged = {"_id": session_id, "revision": {"$eq": first_seen}}
    return _sessions().update_one(unchanged, mended, session=connection.session).modified_count == 1 or None


def differences(sessions: Iterable[Mapping[str, Any]], *, weighed: Container[str]) -> dict[str, Differences]:
    """Those of these sessions, as they were read, whose counts are not those of their stored events now: where, by id.
    All are countable."""
    counts = {session["_id"]: session["event_counts"] for session in sessions}
    differing = {}
    for pk, types in _stored_types(list(counts)).items():
        kept = counts[pk]
        stored = _under_safe_keys(types, weighed=weighed, keep=kept)
        both = {key: (kept.get(key, 0), stored.get(key, 0)) for key in kept.keys() | stored.keys()}
        if odd := {key: (counted, there) for key, (counted, there) in both.items() if counted != there}:
            differing[pk] = odd
    return differing


def _sessions() -> Collection:
    return connection.get_collection("sessions")


def _look(session_id: str) -> tuple[int | None, Counts | None]:
    """Revision and counts as stored; None for the counts of an adopted session. Raises SessionNotFound."""
    fields = {"event_counts": 1, "revision": 1}
    session = _sessions().find_one({"_id": session_id}, fields, session=connection.session)
    if session is None:
        raise SessionNotFound
    counts = session.get("event_counts")
    return session.get("revision"), counts if isinstance(counts, dict) else None


def _stored_types(session_ids: list[str]) -> dict[str, dict[str, int]]:
    """What is stored: session id → type → count. Adopted types that are no text are named by their text."""
    types: dict[str, dict[str, int]] = {session_id: {} for session_id in session_ids}
    events = connection.get_collection("events")
    for group in events.aggregate(_types_of(session_ids), session=connection.session):
        if isinstance(group["_id"]["session"], list):
            continue  # an adopted event whose session_id is a list with one of ours in it
        raw = group["_id"].get("type")
        name = "" if raw is None else str(raw)
        of_session = types[group["_id"]["session"]]
        of_session[name] = of_session.get(name, 0) + group["n"]
    return types


def _types_of(session_ids: list[str]) -> list[dict[str, Any]]:
    return [
        {"$match": {"session_id": {"$in": session_ids}}},
        {"$group": {"_id": {"session": "$session_id", "type": "$event_type"}, "n": {"$sum": 1}}},
    ]


def _under_safe_keys(types: Counts, *, weighed: Container[str], keep: Container[str] = ()) -> dict[str, int]:
    """Counts by safe key. Weighed types and the keys in `keep` stay named; of the rest the most frequent do."""
    counts: dict[str, int] = {}
    must_stay = {name for name in types if name in weighed or key_of(name) in keep}
    for name, n in sorted(types.items(), key=lambda item: (item[0] not in must_stay, -item[1], item[0])):
        fits = name in must_stay or len(counts) < DISTINCT_TYPES_MAX
        key = key_of(name) if fits else OTHER_KEY
        counts[key] = counts.get(key, 0) + n
    return counts
