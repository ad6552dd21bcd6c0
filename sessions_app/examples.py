"""What the document of the API shows of sessions and events; its test asks for the same and compares."""

EVENT = {
    "id": "0b1f9c3e-51f4-4f0e-9a55-6d1c1a3f0c11",
    "event_type": "focus_lost",
    "message": "window lost focus for 4 s",
    "timestamp": "2026-03-02T12:07:30.250000Z",
    "occurred_at": "2026-03-02T12:07:30.150000Z",
    "received_at": "2026-03-02T12:07:31.400000Z",
    "clock_skew_ms": 100,
    "duration_s": 4.0,
    "confidence": 0.75,
    "source": "page 1.2",
    "sequence": 17,
    "data": {"window": "exam"},
    "marks": [],
}
OF_THE_SERVER = {"occurred_at", "received_at", "clock_skew_ms", "marks"}
TOLD = {name: EVENT[name] for name in EVENT if name not in {"id", *OF_THE_SERVER}}
WITH_ID = {"id": EVENT["id"], **TOLD}
TOLD_OF_1970 = {"event_type": "focus_lost", "timestamp": "1970-01-01T00:00:00Z"}
REJECTED = {
    "index": 2,
    "id": None,
    "code": "invalid",
    "detail": "Some fields are not valid.",
    "fields": {"timestamp": ["The instant must lie between the years 2000 and 2100."]},
}
OUTCOME = {
    "created": [{"index": 0, "id": EVENT["id"]}],
    "duplicate": [{"index": 1, "id": EVENT["id"]}],
    "rejected": [REJECTED],
}
RUNNING = {
    "id": "8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21",
    "candidate_name": "Ada Example",
    "start_time": "2026-03-02T12:00:00Z",
    "end_time": None,
    "video_path": None,
    "state": "running",
}
ENDED = {
    **RUNNING,
    "end_time": "2026-03-02T12:42:00Z",
    "video_path": "videos/8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.webm",
    "state": "ended",
}
COMMAND = {
    "id": "5f0c7c1e-6a51-4d0b-8a7f-0f7f3f0f9d11",
    "action": "pause",
    "message": "Please wait, the network is down.",
    "reason_code": "technical.network",
    "asked_at": "2026-03-02T12:20:00Z",
}
MOVE = {
    "at": "2026-03-02T12:20:00Z",
    "from_state": "running",
    "to_state": "paused",
    "actor_kind": "user",
    "actor_name": "petra",
    "reason_code": "technical.network",
    "reason": "Please wait, the network is down.",
}
COVERAGE = {"heartbeat": 0.97, "camera": 0.95, "microphone": None, "screen": None, "detectors": {"face": 0.9}}
TOLD_ONCE = {
    "token": "pc.8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.1vwyDs.sLx0Gv3mJ1bJ8Qx0m2C7u0o7Zk8p1V5rT9yW4eN6aBc",
    "token_expires_at": "2026-03-03T12:00:00Z",
}
