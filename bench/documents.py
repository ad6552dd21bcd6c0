"""What lies in the databases before anything is measured: sessions with events, as ours and as the peer store them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]

TYPES = ("focus_lost", "looking_away", "no_face", "multiple_faces", "focus_lost")
SITTING = timedelta(hours=1)
CHUNK = 2000


def our_session(session_id: str, start: datetime, events: int, *, end: datetime | None = None) -> Document:
    counts = {name: sum(TYPES[n % len(TYPES)] == name for n in range(events)) for name in TYPES[: min(4, events)]}
    return {
        **peer_session(session_id, start, events, end=end),
        "status": "ended" if end else "running",
        "moves": [],
        "commands": [],
        "heartbeat": None,
        "covered": None,
        "clock_skew_ms": None,
        "last_seen_at": end or start,
        "event_counts": counts,
        "revision": events,
    }


def our_event(session_id: str, n: int, at: datetime) -> Document:
    return {
        **peer_event(session_id, n, at),
        "occurred_at": at,
        "received_at": at,
    }


def peer_session(session_id: str, start: datetime, events: int, *, end: datetime | None = None) -> Document:
    return {
        "_id": session_id,
        "candidate_name": f"Candidate {session_id[:8]}",
        "start_time": start,
        "end_time": end,
        "video_path": None,
    }


def peer_event(session_id: str, n: int, at: datetime) -> Document:
    return {
        "_id": str(uuid4()),
        "session_id": session_id,
        "event_type": TYPES[n % len(TYPES)],
        "message": "window lost focus",
        "timestamp": at,
    }


#: How a side says a session and an event.
Shape = tuple[Callable[..., Document], Callable[..., Document]]
OURS: Shape = (our_session, our_event)
PEERS: Shape = (peer_session, peer_event)


def fill(database: Database, shape: Shape, *, sessions: int, events: int, ended: bool = True) -> list[str]:
    """Sessions of an hour each with so many events; their ids."""
    session_of, event_of = shape
    newest = datetime.now(UTC).replace(microsecond=0) - SITTING
    starts = {str(uuid4()): newest - timedelta(minutes=n) for n in range(sessions)}
    documents = (session_of(pk, at, events, end=at + SITTING if ended else None) for pk, at in starts.items())
    insert(database["sessions"], documents)
    step = SITTING / max(events, 1)
    insert(database["events"], (event_of(pk, n, at + n * step) for pk, at in starts.items() for n in range(events)))
    return list(starts)


def insert(collection: Collection, documents: Iterable[Document]) -> None:
    remaining: Iterator[Document] = iter(documents)
    while chunk := list(islice(remaining, CHUNK)):
        collection.insert_many(chunk, ordered=False)


def quick(mongodb_url: str, name: str) -> Database:
    """For filling: without waiting for the journal."""
    return MongoClient(mongodb_url, w=1, journal=False)[name]


def change(database: Database, ids: Sequence[str]) -> None:
    """These sessions are others than before, so that nothing kept of one may be used again."""
    database["sessions"].update_many({"_id": {"$in": ids}}, {"$inc": {"revision": 1}})


def demand_product_shape(database: Database, session_id: str) -> None:
    """What is filled in must look as what the product stores, or the measurement says nothing about the product."""
    for name, made in (
        ("sessions", our_session(session_id, SITTING, 1)),
        ("events", our_event(session_id, 0, SITTING)),
    ):
        key = "_id" if name == "sessions" else "session_id"
        stored = database[name].find_one({key: session_id})
        if set(stored) != set(made):
            raise SystemExit(f"The product's {name} have other fields now: {sorted(set(stored) ^ set(made))}")
