"""How a video becomes a session's recording in one request, and how a stored file is found again."""

import hashlib
from datetime import timedelta
from pathlib import Path, PurePath
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import storages
from django.db.models import QuerySet

from media_app import arrival, processing, resumable, thumbnails, video
from media_app.errors import ImportFileNotFound, StoredFileNotFound, UnsafeFileName, VideoTooLarge
from media_app.models import Recording, RecordingState
from media_app.playback import Stored
from proctoring_site.audit.models import Action
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session

UNKNOWN_TYPE = "application/octet-stream"


def attach_video(
    session: Session, content: File, *, action: Action = Action.UPLOADED, instead: bool = False
) -> Session:
    """Store a whole, valid video as a recording of the session's camera. The very same bytes again change nothing, or
    finish what was cut off.

    The first one is the session's video; with `instead`, this one is from now on, and the other stays as well.
    Raises NotAVideo, TooManyRecordings, SessionNotFound; nothing is stored then.
    """
    kind = video.identify(content)
    sha256 = getattr(content, "sha256", None) or hashlib.file_digest(content.file, "sha256").hexdigest()
    content.seek(0)
    with storages["videos"].one_at_a_time(session.pk):
        if not Session.objects.filter(pk=session.pk).exists():  # deleted while the bytes came
            raise SessionNotFound
        known = Recording.objects.of(session.pk).filter(sha256=sha256).exclude(state=RecordingState.REJECTED).first()
        if known is None or known.state == RecordingState.RECEIVING:
            _store(known or _begun(session, content, sha256), content, kind, action=action, instead=instead)
        else:
            if instead and not arrival.is_shown(known):
                arrival.note(known, action)
                arrival.show(known, kind, instead=True)
            if known.is_to_look_at:
                processing.queue(known)
    session.refresh()  # of one that was deleted since, whoever deleted it looks for files once more, and finds this one
    return session


def _begun(session: Session, content: File, sha256: str) -> Recording:
    """A row before there is a file: whatever is cut off, the bytes are found by who sends them again, and deleted with
    the session or when nobody does (`resumable.expire`)."""
    resumable.check_room(session, content.size)
    recording = Recording(session_id=session.pk, size_bytes=content.size, sha256=sha256)
    recording.told_name = (content.name or "")[:255] or None
    recording.stored_on = settings.STORAGE_BACKEND
    recording.expires_at = recording.created_at + timedelta(seconds=settings.UPLOAD_EXPIRES_AFTER_S)
    recording.original = arrival.original_name(recording)
    recording.save(force_insert=True)
    return recording


def _store(recording: Recording, content: File, kind: video.VideoKind, *, action: Action, instead: bool) -> None:
    arrival.note(recording, action)
    recording.storage.save(recording.original, content)
    Recording.objects.filter(pk=recording.pk).update(offset=recording.size_bytes)
    arrival.show(recording, kind, instead=instead)
    arrival.arrived(recording)
    processing.queue(recording)


def import_video(session: Session, filename: str) -> Session:
    """The same with a copy of a file from VIDEO_IMPORT_DIR. Raises UnsafeFileName, ImportFileNotFound, NotAVideo."""
    with open_for_import(settings.VIDEO_IMPORT_DIR, filename) as file:
        return attach_video(session, File(file, name=filename), action=Action.IMPORTED)


def open_for_import(folder: Path, filename: str) -> BinaryIO:
    """A plain file of that name whose bytes lie inside the folder: no path, no way out, no link to elsewhere."""
    if not filename or filename in {".", ".."} or set(filename) & set("/\\\0") or Path(filename).is_absolute():
        raise UnsafeFileName
    try:
        resolved = (folder / filename).resolve(strict=True)
    except FileNotFoundError:
        raise ImportFileNotFound from None
    except (OSError, RuntimeError):  # a name that is too long; a loop of links (RuntimeError before Python 3.13)
        raise UnsafeFileName from None
    if not resolved.is_relative_to(folder.resolve()) or not resolved.is_file():
        raise UnsafeFileName
    if resolved.stat().st_size > settings.VIDEO_MAX_BYTES:
        raise VideoTooLarge
    try:
        return resolved.open("rb")
    except OSError as error:
        raise UnsafeFileName(f"The server cannot read that file: {error.strerror}.") from error


def delete_recordings(session: Session) -> None:
    """Delete every file that is certainly this session's; an adopted path may name any file."""
    with storages["videos"].one_at_a_time(session.pk):
        for recording in Recording.objects.of(session.pk):
            storage = recording.storage
            if recording.parts is not None:
                storage.abort_parts(recording.original, recording.parts)
            for name in recording.files:
                storage.delete(name)
            thumbnails.forget(recording.pk, storage)
            recording.delete()
        old = {f"{session.pk}{suffix}" for suffix in video.KINDS}  # also the one in whose place another was put
        if (session.video_name or "").startswith(f"{session.pk}."):
            old.add(session.video_name)
        for name in old:
            storages["videos"].delete(name)


def shows(sessions: QuerySet, name: str) -> bool:
    """Whether a video is one of these sessions'."""
    recording = Recording.objects.named(name)
    if recording is not None:
        return sessions.filter(pk=recording.session_id).exists()
    session = sessions.filter(pk=arrival.session_id_of(name)).first()
    return session is not None and session.video_name == name


def find_video(name: str) -> Stored:
    """What is served under a video's name. Raises StoredFileNotFound."""
    recording = Recording.objects.named(name)
    if recording is not None:
        return _of_recording(recording)
    if not arrival.is_old_file(name):
        raise StoredFileNotFound
    storage = storages["videos"]
    changed_at, size_bytes = storage.changed_at(name), storage.size(name)
    content_type = video.CONTENT_TYPES.get(PurePath(name).suffix.lower(), UNKNOWN_TYPE)
    tag = f"{changed_at.timestamp() if changed_at else 0:.6f}-{size_bytes}"
    return Stored(storage, name, size_bytes, tag, changed_at, content_type, name, content_type == UNKNOWN_TYPE)


def _of_recording(recording: Recording) -> Stored:
    if recording.served_file is None:
        raise StoredFileNotFound
    watchable = recording.watchable is not None
    return Stored(
        storage=recording.storage,
        name=recording.served_file,
        size_bytes=recording.watchable_bytes if watchable else recording.size_bytes,
        tag=(recording.watchable_sha256 if watchable else recording.sha256) or recording.pk,
        modified_at=recording.arrived_at,
        content_type=video.CONTENT_TYPES[PurePath(recording.name).suffix],
        filename=recording.name,
        recording_id=recording.pk,
    )


def open_stored(drive: str, name: str) -> File:
    """A stored file of the drive (`videos` or `reports`) by its plain name. Raises StoredFileNotFound."""
    if name.startswith("."):
        raise StoredFileNotFound
    try:
        return storages[drive].open(name)
    except (FileNotFoundError, IsADirectoryError, SuspiciousFileOperation, ValueError):
        raise StoredFileNotFound from None
