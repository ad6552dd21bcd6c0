"""The earlier service as a peer to be measured against: FastAPI, pydantic, MongoDB, its contract, no login.

Kept from it: every report reads all events and writes its page, a whole video is read into memory. Mended, so that the
comparison is fair: it has the indexes of its queries, a batch, pages of the list, and writes that are as durable as
ours. PEER_DRIVER says by which driver: `motor`, that of its time, or `pymongo`, whose own asynchronous client is its
faster successor.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from html import escape
from inspect import isawaitable
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, File, HTTPException, UploadFile
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient

from bench.peer.schemas import (
    BatchOutcome,
    EventBatch,
    EventOut,
    NewEvent,
    NewSession,
    Report,
    SessionOut,
    SessionWithEvents,
)

DATA = Path(os.environ.get("PEER_DATA_DIR", "data"))
PAGE = 100
WEIGHTS = {
    "focus_lost": 2,
    "looking_away": 1,
    "no_face": 3,
    "multiple_faces": 10,
    "phone_detected": 15,
    "notes_detected": 10,
    "device_detected": 10,
}
SUSPICIOUS = ("multiple_faces", "phone_detected", "notes_detected", "device_detected")

Document = dict[str, Any]


DRIVERS = {"motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client = DRIVERS[os.environ["PEER_DRIVER"]](os.environ["PEER_MONGODB_URL"])
    app.state.database = client["peer"]
    await app.state.database["events"].create_index([("session_id", ASCENDING), ("timestamp", ASCENDING)])
    await app.state.database["sessions"].create_index([("start_time", DESCENDING)])
    for folder in ("videos", "reports"):
        (DATA / folder).mkdir(parents=True, exist_ok=True)
    yield
    if isawaitable(closing := client.close()):
        await closing


app = FastAPI(lifespan=lifespan)


@app.post("/sessions", status_code=201)
async def create_session(new: NewSession) -> SessionOut:
    document = {
        "_id": str(uuid4()),
        "candidate_name": new.candidate_name,
        "start_time": datetime.now(UTC),
        "end_time": None,
        "video_path": None,
    }
    await app.state.database["sessions"].insert_one(document)
    return SessionOut(**_named(document))


@app.get("/sessions")
async def list_sessions(limit: int = PAGE) -> list[SessionOut]:
    found = app.state.database["sessions"].find(limit=limit, batch_size=limit + 1).sort("start_time", DESCENDING)
    return [SessionOut(**_named(document)) for document in await found.to_list(limit)]


@app.get("/sessions/{session_id}")
async def get_session(session_id: str) -> SessionWithEvents:
    session, events = await _session(session_id), await _events(session_id)
    return SessionWithEvents(**_named(session), events=[EventOut(**_named(event)) for event in events])


@app.post("/sessions/{session_id}/events", status_code=201)
async def log_event(session_id: str, new: NewEvent) -> EventOut:
    await _session(session_id)
    document = _event(session_id, new)
    await app.state.database["events"].insert_one(document)
    return EventOut(**_named(document))


@app.post("/sessions/{session_id}/events/batch")
async def log_events(session_id: str, batch: EventBatch) -> BatchOutcome:
    await _session(session_id)
    documents = [_event(session_id, new) for new in batch.events]
    await app.state.database["events"].insert_many(documents, ordered=False)
    return BatchOutcome(created=[{"index": n, "id": document["_id"]} for n, document in enumerate(documents)])


@app.post("/sessions/{session_id}/video")
async def upload_video(session_id: str, file: UploadFile = File()) -> SessionOut:  # noqa: B008 - FastAPI's way
    session = await _session(session_id)
    name = f"{session_id}{Path(file.filename or '').suffix or '.webm'}"
    content = await file.read()
    await asyncio.to_thread((DATA / "videos" / name).write_bytes, content)
    session["video_path"] = f"videos/{name}"
    change = {"$set": {"video_path": session["video_path"]}}
    await app.state.database["sessions"].update_one({"_id": session_id}, change)
    return SessionOut(**_named(session))


@app.get("/sessions/{session_id}/report")
async def report(session_id: str) -> Report:
    session, events = await _session(session_id), await _events(session_id)
    counts = Counter(event["event_type"] for event in events)
    began, ended = session["start_time"], session["end_time"]
    made = Report(
        candidate_name=session["candidate_name"],
        session_id=session_id,
        interview_duration_seconds=int((ended - began).total_seconds()) if ended else 0,
        focus_lost_count=counts["focus_lost"],
        looking_away_count=counts["looking_away"],
        no_face_segments=counts["no_face"],
        multiple_faces_count=counts["multiple_faces"],
        phone_detected_count=counts["phone_detected"],
        notes_detected_count=counts["notes_detected"],
        device_detected_count=counts["device_detected"],
        suspicious_events_count=sum(counts[name] for name in SUSPICIOUS),
        integrity_score=max(0, 100 - sum(WEIGHTS.get(name, 0) * n for name, n in counts.items())),
    )
    _write(DATA / "reports" / f"report_{session_id}.html", _page(made, events))
    return made


async def _session(session_id: str) -> Document:
    session = await app.state.database["sessions"].find_one({"_id": session_id})
    if session is None:
        raise HTTPException(404, "Session not found")
    return session


async def _events(session_id: str) -> list[Document]:
    return await app.state.database["events"].find({"session_id": session_id}).sort("timestamp").to_list(None)


def _event(session_id: str, new: NewEvent) -> Document:
    return {
        "_id": str(uuid4()),
        "session_id": session_id,
        "event_type": new.event_type,
        "message": new.message,
        "timestamp": new.timestamp or datetime.now(UTC),
    }


def _named(document: Document) -> Document:
    return {"id": document["_id"], **document}


def _page(made: Report, events: list[Document]) -> str:
    rows = "".join(
        f"<tr><td>{event['timestamp'].isoformat()}</td><td>{escape(event['event_type'])}</td>"
        f"<td>{escape(event['message'] or '')}</td></tr>"
        for event in events
    )
    facts = "".join(f"<li>{escape(name)}: {escape(str(value))}</li>" for name, value in made.model_dump().items())
    return f"<!doctype html><title>Report</title><ul>{facts}</ul><table>{rows}</table>"


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whoever writes it at the same time."""
    whole = path.with_name(f".{uuid4()}")
    whole.write_text(text)
    whole.replace(path)
