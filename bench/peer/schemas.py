"""The peer's wire contract: the earlier service's shapes, and the batch that it did not have."""

from datetime import datetime

from pydantic import BaseModel, Field


class NewSession(BaseModel):
    candidate_name: str


class NewEvent(BaseModel):
    event_type: str
    message: str | None = None
    timestamp: datetime | None = None


class EventBatch(BaseModel):
    events: list[NewEvent] = Field(min_length=1, max_length=500)


class SessionOut(BaseModel):
    id: str
    candidate_name: str
    start_time: datetime
    end_time: datetime | None = None
    video_path: str | None = None


class EventOut(BaseModel):
    id: str
    event_type: str
    message: str | None = None
    timestamp: datetime


class SessionWithEvents(SessionOut):
    events: list[EventOut]


class Created(BaseModel):
    index: int
    id: str


class BatchOutcome(BaseModel):
    created: list[Created]


class Report(BaseModel):
    candidate_name: str
    session_id: str
    interview_duration_seconds: int
    focus_lost_count: int
    looking_away_count: int
    no_face_segments: int
    multiple_faces_count: int
    phone_detected_count: int
    notes_detected_count: int
    device_detected_count: int
    suspicious_events_count: int
    integrity_score: int
