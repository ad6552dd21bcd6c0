"""From whole bytes in the storage to a recording of the session: shown under a name, queued to be looked at.

Every step may be repeated, so that whatever was cut off is finished by doing it again.
"""

import logging
import re
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.db import connection

from media_app.models import SERVED_UNDER, Recording, RecordingKind, RecordingState
from media_app.video import KINDS, VideoKind
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app.counters import NEXT_REVISION
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, now

logger = logging.getLogger(__name__)

#: The ending of a stored file that only its recording may show.
OF_A_RECORDING = re.compile(r"\.(?P<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[a-z0-9]+$")


def original_name(recording: Recording) -> str:
    """Where the file lies as it came. No suffix: what it is, its bytes will tell."""
    return f"{recording.session_id}.{recording.pk}.original"


def watchable_name(recording: Recording, kind: VideoKind) -> str:
    return f"{recording.session_id}.{recording.pk}{kind.suffix}"


def poster_name(recording: Recording) -> str:
    return f"{recording.session_id}.{recording.pk}.jpg"


def names_of(recording: Recording) -> list[str]:
    """Of every file that may have been stored for it, whatever kind of video it is."""
    watchable = [watchable_name(recording, kind) for kind in KINDS.values()]
    return [original_name(recording), *watchable, poster_name(recording)]


def session_id_of(name: str) -> str:
    """The session that a stored video belongs to, by our way of naming them: `{session id}.webm`,
    `{session id}.{recording id}.mp4`. Adopted ones may have other names."""
    match = OF_A_RECORDING.search(name)
    return name[: match.start()] if match else name.partition(".")[0]


def note(recording: Recording, action: Action = Action.UPLOADED, **details: Any) -> None:
    """Into the audit log, before it is made whole, shown in another's place, or given up."""
    details |= {"recording": recording.pk, "size_bytes": recording.size_bytes}
    record(action, ObjectKind.VIDEO, recording.session_id, **details)


def arrived(recording: Recording) -> None:
    """All its bytes are stored: from now on it is looked at in the background."""
    if recording.state == RecordingState.RECEIVING:  # a second call finds it further on
        arrived_at = now()
        Recording.objects.filter(pk=recording.pk, state=RecordingState.RECEIVING).update(
            state=RecordingState.PROCESSING, arrived_at=arrived_at, parts=None, expires_at=None
        )
        recording.state, recording.arrived_at, recording.expires_at = RecordingState.PROCESSING, arrived_at, None
        logger.info("session %s has a recording of %d bytes", recording.session_id, recording.size_bytes)


def show(recording: Recording, kind: VideoKind, *, instead: bool = False) -> None:
    """Give a recording that is a video the name at which it is served, once.

    The first one of the camera is the session's video, at the path of the earlier service, however long it takes to
    look at it; `instead` makes this one it, also when it has its name already.
    """
    if recording.name is None:
        recording.name = _session_video(recording, kind, instead=instead) or watchable_name(recording, kind)
        Recording.objects.filter(pk=recording.pk).update(name=recording.name)
    elif instead:
        _point({"_id": recording.session_id, "video_path": {"$ne": SERVED_UNDER + recording.name}}, recording.name)


def is_shown(recording: Recording) -> bool:
    """Whether it is the session's video already."""
    path = SERVED_UNDER + (recording.name or "")
    return recording.name is not None and Session.objects.filter(pk=recording.session_id, video_path=path).exists()


def _session_video(recording: Recording, kind: VideoKind, *, instead: bool) -> str | None:
    """The name, when this recording became the session's video."""
    sessions = connection.get_collection(Session._meta.db_table)
    session = sessions.find_one({"_id": recording.session_id}, {"video_path": 1}, session=connection.session)
    if session is None:
        raise SessionNotFound
    path = session.get("video_path")
    name = f"{recording.session_id}{kind.suffix}"
    if recording.kind != RecordingKind.CAMERA:
        return None
    if not instead and (shows_something(Session(video_path=path)) or _waits_for_another(recording)):
        return None
    if Recording.objects.filter(name=name).exists() or is_old_file(name):
        name = watchable_name(recording, kind)
    return name if _point({"_id": recording.session_id, "video_path": path}, name) else None


def _point(which: dict[str, Any], name: str) -> bool:
    """Make this the video of the session that is so still; False when there is none."""
    change = {"video_path": {"$literal": SERVED_UNDER + name}, "revision": NEXT_REVISION}
    sessions = connection.get_collection(Session._meta.db_table)
    return sessions.update_one(which, [{"$set": change}], session=connection.session).matched_count == 1


def _waits_for_another(recording: Recording) -> bool:
    """One of the camera that was begun before is still looked at, and may turn out to be the first. With a reason it
    is one that could not be looked at, so far."""
    earlier = Recording.objects.filter(session_id=recording.session_id, created_at__lt=recording.created_at)
    return earlier.filter(kind=RecordingKind.CAMERA, state=RecordingState.PROCESSING, reason=None).exists()


def choose_video(session_id: str) -> None:
    """For a session without a video whose recordings waited for one that turned out to be none: the next is it."""
    session = Session.objects.filter(pk=session_id).first()
    ready = Recording.objects.of(session_id).filter(kind=RecordingKind.CAMERA, state=RecordingState.READY)
    first = ready.filter(name__isnull=False).first()
    if session is None or first is None or shows_something(session) or _waits_for_another(first):
        return
    _point({"_id": session_id, "video_path": session.video_path}, first.name)


def shows_something(session: Session) -> bool:
    """Whether the session's path names a recording, or a file of the time before recordings."""
    name = session.video_name
    if name is None:
        return False
    return Recording.objects.named(name) is not None or is_old_file(name)


def is_old_file(name: str) -> bool:
    """A stored video that no recording speaks of: the earlier service's, or one of our first releases."""
    if name.startswith(".") or OF_A_RECORDING.search(name):
        return False
    try:
        return storages["videos"].exists(name)
    except (ValueError, SuspiciousFileOperation):  # no name of a file at all
        return False
