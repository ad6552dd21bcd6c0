"""How a video becomes a session's video, and how a stored file is found again."""

import logging
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import storages
from django.db import connection
from django.db.models import QuerySet
from pymongo import ReturnDocument

from media_app import video
from media_app.errors import ImportFileNotFound, StoredFileNotFound, UnsafeFileName, VideoTooLarge
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session

logger = logging.getLogger(__name__)

#: `video_path` is the path at which the file is served.
SERVED_UNDER = "videos/"


def attach_video(session: Session, content: File, *, action: Action = Action.UPLOADED) -> Session:
    """Store a whole, valid video as the session's, under a name of ours; then let the old one go.

    Raises NotAVideo; the session and its old video are then as they were.
    """
    kind = video.identify(content)
    changes = {"video_path": (session.video_path, f"{SERVED_UNDER}{session.pk}{kind.suffix}")}
    record(action, ObjectKind.VIDEO, session.pk, changes=changes, size_bytes=content.size)
    with storages["videos"].one_at_a_time(session.pk):
        name = storages["videos"].save(f"{session.pk}{kind.suffix}", content)
        before = connection.get_collection("sessions").find_one_and_update(
            {"_id": session.pk},
            {"$set": {"video_path": SERVED_UNDER + name}, "$inc": {"revision": 1}},
            return_document=ReturnDocument.BEFORE,
            session=connection.session,
        )
        if before is None:
            storages["videos"].delete(name)
            raise SessionNotFound
        replaced = Session(video_path=before.get("video_path")).video_name
        # An adopted path may name any file, another session's too: what is not certainly this one's stays.
        if replaced and replaced != name and replaced.startswith(f"{session.pk}."):
            storages["videos"].delete(replaced)
    logger.info("session %s has a video of %d bytes", session.pk, content.size)
    session.refresh_from_db()
    return session


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


def delete_video(session: Session) -> None:
    """Delete the stored file, when it is certainly this session's; an adopted path may name any file."""
    name = session.video_name
    if name and name.startswith(f"{session.pk}."):
        with storages["videos"].one_at_a_time(session.pk):
            storages["videos"].delete(name)


def session_id_of(name: str) -> str:
    """The session that a stored video belongs to, by our way of naming files; adopted ones may have others."""
    return name.partition(".")[0]


def shows(sessions: QuerySet, name: str) -> bool:
    """Whether the stored video is that of one of these sessions."""
    session = sessions.filter(pk=session_id_of(name)).first()
    return session is not None and session.video_name == name


def open_stored(drive: str, name: str) -> File:
    """A stored file of the drive (`videos` or `reports`) by its plain name. Raises StoredFileNotFound."""
    if name.startswith("."):
        raise StoredFileNotFound
    try:
        return storages[drive].open(name)
    except (FileNotFoundError, IsADirectoryError, SuspiciousFileOperation, ValueError):
        raise StoredFileNotFound from None
