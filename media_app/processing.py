"""What is done to a recording in the background, once it has arrived: checked, made seekable, described.

May be cut off anywhere and done again: nothing is let go before what replaces it was verified and written down.
"""

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from media_app import arrival, recording_file, video
from media_app.errors import NotAVideo
from media_app.models import Recording, RecordingState
from media_app.recording_file import Unreadable
from media_app.storage.range_file import RangeFile
from media_app.uploads import IncomingFile
from media_app.video import KINDS, VideoKind
from proctoring_site.jobs.queue import job, submit

logger = logging.getLogger(__name__)

POSTER_AT_S = 1.0
NOT_LOOKED_AT = "It could not be examined; the background work says why, and may be run again."
READ_AHEAD_BYTES = 1024**2


class Rejected(Exception):
    """The recording is kept and not shown; says why, for staff."""


def queue(recording: Recording) -> None:
    """Have it looked at, unless that waits already."""
    submit(process_recording, recording.pk, session_id=recording.session_id, stored_on=recording.stored_on)


def queue_all(*, dry_run: bool = False) -> int:
    """The same for all that should have been looked at and may have been forgotten; answers how many."""
    waiting = list(Recording.objects.to_look_at())
    for recording in () if dry_run else waiting:
        queue(recording)
    return len(waiting)


def leave_it(recording_id: str, **_: Any) -> None:
    """Nobody looks at it any more until a person has it done again: the session's other recordings wait no longer."""
    recording = Recording.objects.filter(pk=recording_id, state=RecordingState.PROCESSING).first()
    if recording is not None:
        Recording.objects.filter(pk=recording_id, state=RecordingState.PROCESSING).update(reason=NOT_LOOKED_AT)
        arrival.choose_video(recording.session_id)


@job(name="process_recording", give_up=leave_it)
def process_recording(recording_id: str, *, session_id: str | None = None, stored_on: str | None = None) -> None:
    """`session_id` and `stored_on` are for when there is no row any more to say so."""
    recording = Recording.objects.filter(pk=recording_id).first()
    if recording is None:  # deleted meanwhile; an earlier try may have been killed before it looked
        if session_id and stored_on:
            gone = Recording(pk=recording_id, session_id=session_id, stored_on=stored_on)
            remove_if_deleted(gone, arrival.names_of(gone), gone.storage)
        return
    if recording.state == RecordingState.PROCESSING:  # else an earlier try came so far
        try:
            _process(recording)
        except FileNotFoundError:
            recording.refresh_from_db()  # another worker may have been quicker
            if recording.state == RecordingState.PROCESSING and not _take_over_copy(recording):
                raise
        except Rejected as error:
            _settle(recording, state=RecordingState.REJECTED, reason=str(error)[:300])
            logger.warning("session %s: recording %s was rejected", recording.session_id, recording.pk)
    arrival.choose_video(recording.session_id)
    if not settings.KEEP_ORIGINALS:
        _let_original_go(recording)


def _process(recording: Recording) -> None:
    with opened(recording, recording.original, recording.size_bytes) as file:
        digest = _sha256(file)
        for told in filter(None, (recording.told_sha256, recording.sha256)):
            if told != digest:
                raise Rejected("The stored bytes are not those that were sent: their SHA-256 differs.")
        Recording.objects.filter(pk=recording.pk).update(sha256=digest)
        try:
            kind = video.identify(file)
        except NotAVideo as error:
            raise Rejected(str(error)) from error
        arrival.show(recording, kind)
        names = [arrival.watchable_name(recording, kind), arrival.poster_name(recording)]
        try:
            made = _make(recording, file, kind)
            _settle(recording, state=RecordingState.READY, **made)
        finally:
            remove_if_deleted(recording, names, recording.storage)
    logger.info("session %s: recording %s is ready", recording.session_id, recording.pk)


def _take_over_copy(recording: Recording) -> bool:
    """Where the database is older than the files, as after a restore, the recording was looked at since: its original
    was let go for a copy that had been verified, and a copy appears whole. The original's SHA-256 nobody knows then."""
    storage = recording.storage
    for kind in () if storage.exists(recording.original) else KINDS.values():
        name = arrival.watchable_name(recording, kind)
        if not storage.exists(name):
            continue
        size_bytes = storage.size(name)
        with opened(recording, name, size_bytes) as file:
            arrival.show(recording, kind)
            try:
                made = asdict(recording_file.probe(file, kind))
                made["poster"] = _make_poster(recording, file, kind)
                made |= {"watchable": name, "watchable_bytes": size_bytes, "watchable_sha256": _sha256(file)}
                _settle(recording, state=RecordingState.READY, original=None, **made)
            finally:
                remove_if_deleted(recording, [name, arrival.poster_name(recording)], storage)
        ids = (recording.session_id, recording.pk)
        logger.warning("session %s: of recording %s there is the seekable copy alone", *ids)
        return True
    return False


def _let_original_go(recording: Recording) -> None:
    """Once the row names what replaces it, whoever wrote that there; and wherever a move brought it meanwhile."""
    with storages["videos"].one_at_a_time(recording.session_id):
        now = Recording.objects.filter(pk=recording.pk, state=RecordingState.READY, watchable__isnull=False).first()
        if now is None or now.original is None:
            return
        for backend in {recording.stored_on, now.stored_on}:
            storages["videos"].on(backend).delete(now.original)
        Recording.objects.filter(pk=recording.pk).update(original=None)


def remove_if_deleted(recording: Recording, names: list[str], storage: Any) -> None:
    """What was stored for a recording whose session was deleted meanwhile: nobody else would find it."""
    with storages["videos"].one_at_a_time(recording.session_id):
        if not Recording.objects.filter(pk=recording.pk).exists():
            for name in names:
                storage.delete(name)


def _make(recording: Recording, file: BinaryIO, kind: VideoKind) -> dict[str, Any]:
    """Store the seekable copy and the poster; answers the recording's fields."""
    facts = recording_file.probe(file, kind)
    try:
        made = _make_watchable(recording, file, kind)
    except Unreadable as error:  # it plays, as far as it goes, and cannot be sought in
        made = {"reason": f"No seekable copy could be made: {error}"[:300]}
    made["poster"] = _make_poster(recording, file, kind)
    described = {name: value for name, value in asdict(made.pop("facts", facts)).items() if value is not None}
    return described | made


def _make_watchable(recording: Recording, file: BinaryIO, kind: VideoKind) -> dict[str, Any]:
    """The fields of the seekable copy, which is stored and was compared with the original."""
    name = arrival.watchable_name(recording, kind)
    with IncomingFile(name, kind.content_type, 0, None, {}) as copy:
        path = Path(copy.temporary_file_path())
        copied = recording_file.remux(file, path, kind)
        with path.open("rb") as made:
            recording_file.verify(made, kind, copied)
            facts = recording_file.probe(made, kind)
            digest, copy.size = _sha256(made), path.stat().st_size
        copy.seek(0)
        recording.storage.save(name, copy)
    return {"watchable": name, "watchable_bytes": copy.size, "watchable_sha256": digest, "facts": facts}


def _make_poster(recording: Recording, file: BinaryIO, kind: VideoKind) -> str | None:
    try:
        picture = recording_file.poster(file, kind, POSTER_AT_S)
    except Unreadable:
        return None
    name = arrival.poster_name(recording)
    return recording.storage.save(name, ContentFile(picture, name=name))


def _settle(recording: Recording, **fields: Any) -> None:
    """Not while its session is being deleted: either the deletion knows of these fields, or there is no row left."""
    fields.setdefault("reason", None)  # of an earlier job that was given up
    with storages["videos"].one_at_a_time(recording.session_id):
        Recording.objects.filter(pk=recording.pk, state=RecordingState.PROCESSING).update(**fields)


@contextmanager
def opened(recording: Recording, name: str, size_bytes: int) -> Iterator[BinaryIO]:
    """A stored file of a recording as a file that can be sought in, wherever it lies."""
    storage = recording.storage
    if path := storage.local_path(name):
        with path.open("rb") as file:
            yield file
        return
    with io.BufferedReader(RangeFile(storage, name, size_bytes), READ_AHEAD_BYTES) as file:
        yield file


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")
    file.seek(0)
    return digest.hexdigest()
