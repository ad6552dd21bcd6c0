"""Three demo sessions of different character, one with a short real video. Loading them twice changes nothing."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.files import File

from media_app import services as media
from proctoring_site.launch.demo_clip import write_clip
from sessions_app import imports
from sessions_app.models import Session, now

CALM, BUSY, RUNNING = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


def load(*, at: datetime | None = None, dry_run: bool = False) -> int:
    """Store the demo sessions that are not there yet; answers how many are new."""
    moment = at or now()
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "demo.jsonl"
        rows.write_text("\n".join(json.dumps(session) for session in _sessions(moment)))
        *_, outcome = imports.run(rows, dry_run=dry_run)
        filmed = Session.objects.filter(pk=BUSY, video_path__isnull=True).first()
        if filmed and not dry_run:
            clip = write_clip(Path(folder) / "demo.webm")
            with clip.open("rb") as file:
                media.attach_video(filmed, File(file, name=clip.name))
    return outcome.new_sessions


def _sessions(at: datetime) -> list[dict[str, Any]]:
    return [
        _session(
            CALM,
            "Ada Example (demo, calm)",
            at - timedelta(hours=5),
            42,
            [(7, "looking_away", None), (31, "looking_away", "two seconds")],
        ),
        _session(
            BUSY,
            "Björn Example (demo, many flags, with video)",
            at - timedelta(hours=3),
            35,
            [
                (2, "focus_lost", "window lost focus for 4 s"),
                (6, "looking_away", None),
                (9, "no_face", "no face for 6 s"),
                (12, "phone_detected", "confidence 0.91"),
                (13, "phone_detected", "confidence 0.88"),
                (18, "multiple_faces", "2 faces"),
                (19, "multiple_faces", "2 faces"),
                (24, "tab_hidden", "a type without a weight in the policy"),
                (29, "notes_detected", "paper at the lower edge"),
            ],
        ),
        _session(
            RUNNING,
            "Chioma Example (demo, running)",
            at - timedelta(minutes=20),
            None,
            [(3, "focus_lost", None), (8, "device_detected", "second keyboard"), (15, "notes_detected", None)],
        ),
    ]


def _session(
    pk: str, name: str, start: datetime, minutes: int | None, events: list[tuple[int, str, str | None]]
) -> dict[str, Any]:
    return {
        "id": pk,
        "candidate_name": name,
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(minutes=minutes)).isoformat() if minutes else None,
        # The ids are fixed, so that a second load finds them although its instants differ.
        "events": [
            {
                "id": f"{pk}/{n}",
                "event_type": event_type,
                "message": message,
                "timestamp": (start + timedelta(minutes=minute)).isoformat(),
            }
            for n, (minute, event_type, message) in enumerate(events)
        ],
    }
