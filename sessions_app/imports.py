"""Sessions and events from another system's file: every row is checked before the first is written.

JSON Lines: a line is a session `{id, candidate_name, start_time, end_time?, events?: [event…]}` or an event of one
`{session_id, event_type, message?, timestamp, id?}`. CSV: the columns `session_id, candidate_name, start_time,
end_time, event_type, message, timestamp, event_id`; a row without `event_type` is a session alone, and a row with
`candidate_name` is (also) a session. Instants are ISO 8601, UTC when they name no zone.

Ids may be any text: a UUID stays itself, another text becomes a UUID that is always the same, and an event without an
id gets one from what it says and how often the file said the same before: identical rows are as many events. So
importing a file twice changes nothing. Where an id is told twice, the first telling counts.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import connection
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from rest_framework import serializers

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.group_insert import DUPLICATE_KEY
from sessions_app import counters, services
from sessions_app.errors import ProctoringError
from sessions_app.models import Session, to_milliseconds
from sessions_app.review import scores
from sessions_app.serializers import NewEvent, NewSession
from sessions_app.strict_fields import Instant, Text

BATCH = 1000
ID_MAX_LENGTH = 200
IDS = uuid5(NAMESPACE_URL, "urn:proctoring:imported")
CSV_COLUMNS = (
    "session_id",
    "candidate_name",
    "start_time",
    "end_time",
    "event_type",
    "message",
    "timestamp",
    "event_id",
)

#: Under this key a row of CSV keeps the cells that no column names.
BEYOND_HEADER = ""


class UnreadableFile(ProctoringError):
    code = "unreadable_file"
    sentence = "The file must be UTF-8 text and end in .jsonl, .ndjson or .csv."


class SessionRow(NewSession):
    id = Text(max_length=ID_MAX_LENGTH)
    start_time = Instant()
    end_time = Instant(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("end_time") and attrs["end_time"] < attrs["start_time"]:
            raise serializers.ValidationError({"end_time": ["Is before start_time."]})
        return attrs


class EventRow(NewEvent):
    session_id = Text(max_length=ID_MAX_LENGTH)
    id = Text(max_length=ID_MAX_LENGTH, required=False, allow_null=True)
    timestamp = Instant()


@dataclass(slots=True)
class Row:
    """What one row says, as documents ready to be stored."""

    number: int
    session: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


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
    for number, raw in _raw_rows(path):
        outcome.rows += 1
        try:
            row = _parse(number, raw, said_before)
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
    good = (_parse(number, raw, said_before) for number, raw in _raw_rows(path) if number not in bad)
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


def _correct_counts(seen: "_Seen") -> None:
    """An import that was cut off left counts without events; the run that completes it puts them right."""
    ended = Session.objects.closed().filter(pk__in=list(seen.of_events)).values_list("pk", flat=True)
    for batch in _batches(list(ended)):
        counters.correct(batch, weighed=services.active_policy().weights)
    for pk in Session.objects.open().filter(pk__in=list(seen.of_events)).values_list("pk", flat=True):
        counters.recount(pk, weighed=services.active_policy().weights)


def _score(seen: "_Seen") -> None:
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


def _raw_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(row number, raw row); numbers are lines for JSON Lines, and rows of the table, header included, for CSV."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() in {".jsonl", ".ndjson"}:
                yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
            elif path.suffix.lower() == ".csv":
                yield from _csv_rows(file)
            else:
                raise UnreadableFile
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"The file is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    except csv.Error as error:
        raise UnreadableFile(f"The file is not CSV: {error}.") from error
    except OSError as error:
        raise UnreadableFile(f"The file cannot be read: {error.strerror}.") from error


def _csv_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    table = csv.reader(file)
    header = next(table, [])
    if "session_id" not in header or not set(header) <= set(CSV_COLUMNS) or len(set(header)) < len(header):
        raise UnreadableFile(f"The CSV header must be some of {', '.join(CSV_COLUMNS)}, with session_id.")
    for number, cells in enumerate(table, 2):
        if any(cells):
            beyond = {BEYOND_HEADER: cells[len(header) :]} if len(cells) > len(header) else {}
            yield number, dict(zip(header, cells, strict=False)) | beyond


def _parse(number: int, raw: Any, said_before: Counter[UUID]) -> Row:
    row = _parse_csv(number, raw) if isinstance(raw, dict) else _parse_json(number, raw)
    for event in row.events:
        if event["_id"] is None:
            said = [event["session_id"], event["event_type"], event["message"] or "", event["timestamp"].isoformat()]
            same = uuid5(IDS, json.dumps(said))
            event["_id"] = str(uuid5(IDS, json.dumps([*said, said_before[same]])))
            said_before[same] += 1
    return row


def _parse_json(number: int, line: str) -> Row:
    try:
        said = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(said, dict):
        raise ValueError("not a JSON object")
    if "event_type" in said:
        return Row(number, events=[_event(said)])
    events = said.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("events: not a list of objects")
    return Row(number, _session(said), [_event({**event, "session_id": said.get("id")}) for event in events])


def _parse_csv(number: int, cells: dict[str, Any]) -> Row:
    if BEYOND_HEADER in cells:
        raise ValueError("more cells than the header")
    said = {name: value for name, value in cells.items() if value}
    row = Row(number)
    if "candidate_name" in said or "event_type" not in said:
        row.session = _session({**said, "id": said.get("session_id")})
    if "event_type" in said:
        row.events = [_event({**said, "id": said.get("event_id")})]
    return row


def _session(said: dict[str, Any]) -> dict[str, Any]:
    row = SessionRow(data=said)
    row.is_valid(raise_exception=True)
    valid = row.validated_data
    return {
        "_id": uuid_of(valid["id"]),
        "candidate_name": valid["candidate_name"],
        "start_time": _naive(valid["start_time"]),
        "end_time": _naive(valid.get("end_time")),
        "video_path": None,
        "revision": 0,
    }


def _event(said: dict[str, Any]) -> dict[str, Any]:
    row = EventRow(data=said)
    row.is_valid(raise_exception=True)
    valid = row.validated_data
    return {
        "_id": uuid_of(valid["id"]) if valid.get("id") else None,
        "session_id": uuid_of(valid["session_id"]),
        "event_type": valid["event_type"],
        "message": valid.get("message"),
        "timestamp": _naive(valid["timestamp"]),
        "occurred_at": _naive(valid["timestamp"]),
    }


def _demand_session(row: Row, declared: set[str]) -> None:
    """An event must belong to a session of the file, above it, or of the database."""
    wanted = {event["session_id"] for event in row.events} - declared
    found = _known("sessions", wanted)
    declared |= found
    if wanted - found:
        raise ValueError("session_id: there is no such session in the database or above in the file")


def uuid_of(text: str) -> str:
    """The id under which a session or event of that id is stored: a UUID as it is, another text as one made of it."""
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(IDS, text))


def _naive(at: datetime | None) -> datetime | None:
    """As BSON keeps it: UTC without saying so, in milliseconds."""
    return to_milliseconds(at).replace(tzinfo=None) if at else None


def _reason(error: Exception) -> str:
    if isinstance(error, serializers.ValidationError) and isinstance(error.detail, dict):
        return "; ".join(f"{name}: {' '.join(map(str, reasons))}" for name, reasons in error.detail.items())
    return str(error)
