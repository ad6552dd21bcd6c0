"""The rows of a file of sessions and events, in either format, as documents ready to be stored.

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
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from rest_framework import serializers

from sessions_app.errors import ProctoringError
from sessions_app.event_serializers import NewEvent
from sessions_app.models import to_milliseconds
from sessions_app.serializers import OfACandidate
from sessions_app.strict_fields import Instant, Text

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


class SessionRow(OfACandidate):
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


def raw_rows(path: Path) -> Iterator[tuple[int, Any]]:
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


def parse(number: int, raw: Any, said_before: Counter[UUID]) -> Row:
    """Raises ValidationError or ValueError for a bad row. `said_before`: of this file, kept from row to row."""
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


def uuid_of(text: str) -> str:
    """The id under which a session or event of that id is stored: a UUID as it is, another text as one made of it."""
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(IDS, text))


def _naive(at: datetime | None) -> datetime | None:
    """As BSON keeps it: UTC without saying so, in milliseconds."""
    return to_milliseconds(at).replace(tzinfo=None) if at else None
