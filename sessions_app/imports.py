"""Sessions and events from another system's file: every row is checked before the first is written. The formats:
import_rows.py.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from rest_framework import serializers

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.group_insert import DUPLICATE_KEY
from sessions_app import counters, services
from sessions_app.import_rows import Row, parse, raw_rows
from sessions_app.models import Session
from sessions_app.review import scores

BATCH = 1000


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do: `bad_rows` are (row number, reason)."""

    rows: int = 0
    new_sessions: int = 0
    known_sessions: int = 0
    new_events: int = 0
    known_events: int = 0
    bad_rows: list[tuple[int, str]] = field(default_factory=list)


def check(path: Path) -> Outcome:
    """Read every row and name the bad ones; writes nothing. Raises UnreadableFile."""
    outcome = Outcome()
    declared: set[str] = set()
    said_before: Counter[UUID] = Counter()
    for number, raw in raw_rows(path):
        outcome.rows += 1
        try:
            row = parse(number, raw, said_before)
            declared |= {row.session["_id"]} if row.session else set()
            _demand_session(row, declared)
        except (serializers.ValidationError, ValueError) as error:
            outcome.bad_rows.append((number, _reason(error)))
    return outcome


def run(path: Path, *, dry_run: bool = False, skip_bad: bool = False) -> Iterator[Outcome]:
    """Import the file, yielding the outcome so far after every batch; the last one is the whole.

    With a bad row nothing is written, unless `skip_bad`. Raises UnreadableFile.
    """
    outcome = check(path)
    if outcome.bad_rows and not skip_bad:
        yield outcome
        return
    bad = {number for number, _ in outcome.bad_rows}
    said_before: Counter[UUID] = Counter()
    good = (parse(number, raw, said_before) for number, raw in raw_rows(path) if number not in bad)
    seen = _Seen()
    while batch := list(islice(good, BATCH)):
        _import_batch(batch, outcome, seen, dry_run=dry_run)
        yield outcome
    if not dry_run:
        _correct_counts(seen)
        _score(seen)
    yield outcome


@dataclass(slots=True)
class _Seen:
    """Ids of earlier batches of the same run, so that each is counted once, stored or not."""

    sessions: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    of_events: set[str] = field(default_factory=set)  # the sessions that the events belong to
    changed: set[str] = field(default_factory=set)  # the sessions that this run stored something of


def _import_batch(batch: list[Row], outcome: Outcome, seen: _Seen, *, dry_run: bool) -> None:
    sessions = _first_told((row.session for row in batch if row.session), seen.sessions)
    events = _first_told((event for row in batch for event in row.events), seen.events)
    seen.of_events |= {event["session_id"] for event in events.values()}
    known_sessions = _known("sessions", sessions)
    known_events = _known("events", events)
    outcome.known_sessions += len(known_sessions)
    outcome.new_sessions += len(sessions) - len(known_sessions)
    outcome.known_events += len(known_events)
    outcome.new_events += len(events) - len(known_events)
    new_sessions = [document for key, document in sessions.items() if key not in known_sessions]
    new_events = [document for key, document in events.items() if key not in known_events]
    if (new_sessions or new_events) and not dry_run:
        ids = sorted({session["_id"] for session in new_sessions} | {event["session_id"] for event in new_events})
        record(Action.IMPORTED, ObjectKind.SESSION, sessions=ids, events=len(new_events))
        _store(new_sessions, new_events)
        seen.changed.update(ids)


def _first_told(documents: Iterable[dict[str, Any]], seen: set[str]) -> dict[str, dict[str, Any]]:
    """By id, without those seen before; and they are seen now."""
    told: dict[str, dict[str, Any]] = {}
    for document in documents:
        if document["_id"] not in seen:
            seen.add(document["_id"])
            told[document["_id"]] = document
    return told


def _store(sessions: list[dict], events: list[dict]) -> None:
    """Sessions first; then events are counted and stored, in this order (counters.py says why)."""
    weighed = services.active_policy().weights
    if sessions:
        connection.get_collection("sessions").bulk_write(
            [UpdateOne({"_id": s["_id"]}, {"$setOnInsert": s}, upsert=True) for s in sessions],
            session=connection.session,
        )
    counters.count_adopted({event["session_id"] for event in events} | {s["_id"] for s in sessions}, weighed=weighed)
    if events:
        types: dict[str, Counter[str]] = {}
        for event in events:
            types.setdefault(event["session_id"], Counter())[event["event_type"]] += 1
        counters.count_events(types, weighed=weighed)
        _insert(events)


def _insert(events: list[dict]) -> None:
    """Those that another import of the same file stored meanwhile are left as they are."""
    try:
        connection.get_collection("events").insert_many(events, ordered=False, session=connection.session)
    except BulkWriteError as error:
        if any(fault["code"] != DUPLICATE_KEY for fault in error.details["writeErrors"]):
            raise


def _correct_counts(seen: _Seen) -> None:
    """An import that was cut off left counts without events; the run that completes it puts them right."""
    ended = Session.objects.closed().filter(pk__in=list(seen.of_events)).values_list("pk", flat=True)
    for batch in _batches(list(ended)):
        counters.correct(batch, weighed=services.active_policy().weights)
    for pk in Session.objects.open().filter(pk__in=list(seen.of_events)).values_list("pk", flat=True):
        counters.recount(pk, weighed=services.active_policy().weights)


def _score(seen: _Seen) -> None:
    """What is new or has new events, and what an import that was cut off left without a score."""
    for batch in _batches(sorted(seen.sessions | seen.of_events)):
        unscored = Session.objects.closed().filter(pk__in=batch, queue_rank__isnull=True)
        scores.score_closed({*unscored.values_list("pk", flat=True), *seen.changed.intersection(batch)})


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    ids = iter(ids)
    while batch := list(islice(ids, BATCH)):
        yield batch


def _known(collection: str, ids: Iterable[str]) -> set[str]:
    found = connection.get_collection(collection).find(
        {"_id": {"$in": list(ids)}}, {"_id": 1}, session=connection.session
    )
    return {row["_id"] for row in found}


def _demand_session(row: Row, declared: set[str]) -> None:
    """An event must belong to a session of the file, above it, or of the database."""
    wanted = {event["session_id"] for event in row.events} - declared
    found = _known("sessions", wanted)
    declared |= found
    if wanted - found:
        raise ValueError("session_id: there is no such session in the database or above in the file")


def _reason(error: Exception) -> str:
    if isinstance(error, serializers.ValidationError) and isinstance(error.detail, dict):
        return "; ".join(f"{name}: {' '.join(map(str, reasons))}" for name, reasons in error.detail.items())
    return str(error)
