"""Pictures out of recordings, made when somebody first asks for one and kept beside the recording from then on.

Made of it at any time, so they are no evidence: what is lost is made again, and what nobody needs may be removed.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import PurePath
from threading import BoundedSemaphore
from time import time
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages

from media_app import processing, recording_file
from media_app.errors import NoPicture, StorageFailed
from media_app.models import Recording, RecordingKind, RecordingState
from media_app.recording_file import Unreadable
from media_app.video import KINDS
from sessions_app.models import Event, Session

logger = logging.getLogger(__name__)

#: A folder of the drive of videos, with one per recording in it.
FOLDER = "thumbnails"
#: Of one recording, however often and for whichever moments it is asked: one a second for two hours, fewer of a longer.
PICTURES_MAX = 7200
#: A session's start, its events and its recording are told by two clocks.
SLACK_S = 1.0
#: Beside the name of a picture that could not be made; asked again it costs nothing, until the instant in the file.
NONE, NONE_FOR_S = ".none", 3600
#: In one process at the same time; who comes then waits, so long at most.
DECODINGS_MAX, WAIT_MAX_S = 2, 10

_decoding = BoundedSemaphore(DECODINGS_MAX)


@dataclass(frozen=True, slots=True)
class Moment:
    """`second`: of the recording, from its first picture on; a whole one that there is a thumbnail of."""

    recording: Recording
    second: int


def moment_of(session: Session, at_s: float, *, kind: str | None = None) -> Moment:
    """What shows a session so long after its start, as the player does: of several at once, what began last. The camera
    first, unless `kind` says. Raises NoPicture."""
    recordings = [one for one in Recording.objects.of(session.pk) if kind in (None, one.kind)]
    in_turn = sorted(recordings, key=lambda one: (one.kind != RecordingKind.CAMERA, -(one.start_offset_s or 0)))
    return _moment(in_turn, at_s)


def moment_of_event(session: Session, event_id: str) -> Moment:
    """The same for one of its events. Raises NoPicture."""
    event = Event.objects.filter(pk=event_id, session_id=session.pk).first()
    if event is None or event.at is None or session.start_time is None:
        raise NoPicture
    return moment_of(session, (event.at - session.start_time).total_seconds())


def with_poster(session: Session, recording_id: str) -> Recording:
    """Raises NoPicture."""
    recording = Recording.objects.filter(pk=recording_id, session_id=session.pk).first()
    if recording is None or recording.poster is None or recording.served_file is None:
        raise NoPicture
    return recording


def poster(recording: Recording) -> bytes:
    """A JPEG. Raises NoPicture."""
    with suppress(FileNotFoundError):
        return _read(recording.storage, recording.poster)
    raise NoPicture


def thumbnail(moment: Moment) -> bytes:
    """A JPEG; made now when there is none, once also for those who ask at the same time. Raises NoPicture, and
    StorageFailed while too many are being made."""
    storage, name = moment.recording.storage, f"{FOLDER}/{moment.recording.pk}/{moment.second:06}.jpg"
    with suppress(OSError):
        return _read(storage, name)
    with storages["videos"].one_at_a_time(name, among="thumbnails-"):
        with suppress(OSError):
            return _read(storage, name)
        if _is_known_to_fail(storage, name):
            raise NoPicture
        try:
            picture = _made(moment)
        except Unreadable as error:
            logger.warning("session %s: no picture of recording %s", moment.recording.session_id, moment.recording.pk)
            _keep(moment, storage, name + NONE, str(time() + NONE_FOR_S).encode())
            raise NoPicture from error
        _keep(moment, storage, name, picture)
        return picture


def forget(recording_id: str, storage: Any) -> None:
    """Remove all of one recording's from a storage."""
    folder = f"{FOLDER}/{recording_id}"
    with suppress(FileNotFoundError):
        for name in storage.listdir(folder)[1]:
            storage.delete(f"{folder}/{name}")
        storage.delete(folder)  # where folders are things of their own


def recording_ids(storage: Any) -> list[str]:
    """Of which recordings a storage has thumbnails."""
    try:
        return sorted(storage.listdir(FOLDER)[0])
    except FileNotFoundError:
        return []


def _moment(recordings: Iterable[Recording], at_s: float) -> Moment:
    for recording in recordings:
        if recording.state != RecordingState.READY or not recording.served_file or not recording.duration_s:
            continue
        second_s = at_s - (recording.start_offset_s or 0)
        if -SLACK_S <= second_s <= recording.duration_s + SLACK_S:
            step = ceil(recording.duration_s / PICTURES_MAX)
            last = int(recording.duration_s) // step * step
            return Moment(recording, min(max(0, round(second_s / step) * step), last))
    raise NoPicture


def _is_known_to_fail(storage: Any, name: str) -> bool:
    try:
        return float(_read(storage, name + NONE)) > time()
    except (OSError, ValueError):
        return False


def _keep(moment: Moment, storage: Any, name: str, content: bytes) -> None:
    try:
        storage.save(name, ContentFile(content, name=name))
    except (OSError, StorageFailed) as error:  # a full disk, say: it is made again next time
        logger.warning("a thumbnail could not be kept: %s", getattr(error, "strerror", None) or error)
    if not Recording.objects.filter(pk=moment.recording.pk).exists():  # deleted meanwhile
        forget(moment.recording.pk, storage)


def _made(moment: Moment) -> bytes:
    """Raises NoPicture where its file is gone, Unreadable."""
    recording = moment.recording
    size_bytes = recording.watchable_bytes if recording.watchable else recording.size_bytes
    try:
        with _one_of_few(), processing.opened(recording, recording.served_file, size_bytes) as file:
            kind = KINDS[PurePath(recording.name).suffix]
            return recording_file.picture(file, kind, moment.second, holds=recording.kind == RecordingKind.SCREEN)
    except FileNotFoundError as error:
        logger.warning("session %s: the file of recording %s is gone", recording.session_id, recording.pk)
        raise NoPicture from error


@contextmanager
def _one_of_few() -> Iterator[None]:
    """Decoding keeps a core busy. Raises StorageFailed when others do it for too long."""
    if not _decoding.acquire(timeout=WAIT_MAX_S):
        raise StorageFailed("Too many pictures are being made; try again in a few seconds.")
    try:
        yield
    finally:
        _decoding.release()


def _read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()
