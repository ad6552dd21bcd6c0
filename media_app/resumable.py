"""A recording that arrives in parts, over many requests: begun, gone on with, given up, whole.

The storage keeps the bytes, the database keeps how many of them are safe. Who writes holds a claim; a part that comes
for another place, or while somebody else writes, is refused. A claim that nobody renews runs out.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from time import monotonic
from typing import Any, BinaryIO
from uuid import uuid4

from django.conf import settings
from django.core.files.storage import storages
from django.db import connection
from django.db.models import Count, Sum

from media_app import arrival, processing, uploads
from media_app.errors import (
    StorageFailed,
    TooManyRecordings,
    UploadBusy,
    UploadFinished,
    UploadLost,
    UploadNotFound,
    VideoTooLarge,
    WrongChecksum,
    WrongOffset,
)
from media_app.models import Recording, RecordingState
from proctoring_site.audit.models import Action
from proctoring_site.mongo_engine.documents import as_majority_has, instance_of
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, now

logger = logging.getLogger(__name__)

#: A slow line brings a part in minutes; the claim is renewed meanwhile, and not with every read.
RENEWALS_PER_CLAIM = 5
READ_BYTES = 256 * 1024


def begin(session: Session, *, size_bytes: int, at: datetime | None = None, **told: Any) -> Recording:
    """Make room for a recording; `told`: fields of the client. Raises VideoTooLarge, TooManyRecordings, and
    SessionNotFound for one that is deleted in that moment; nothing is left then."""
    if size_bytes > settings.VIDEO_MAX_BYTES:
        raise VideoTooLarge.beyond(settings.VIDEO_MAX_BYTES)
    check_room(session, size_bytes)
    at = at or now()
    recording = Recording(session_id=session.pk, size_bytes=size_bytes, created_at=at, **told)
    recording.stored_on = settings.STORAGE_BACKEND
    recording.original = arrival.original_name(recording)
    recording.expires_at = at + timedelta(seconds=settings.UPLOAD_EXPIRES_AFTER_S)
    recording.parts = recording.storage.start_parts(recording.original)
    recording.save(force_insert=True)
    try:
        check_room(session)  # of several that were begun at once, each has a row now
        if not Session.objects.filter(pk=session.pk).exists():  # its deletion may have been through before
            raise SessionNotFound
    except (TooManyRecordings, SessionNotFound):
        _abort(recording)
        raise
    logger.info("session %s: upload %s of %d bytes began", session.pk, recording.pk, size_bytes)
    return recording


def check_room(session: Session, size_bytes: int | None = None) -> None:
    """For one more of that size; None: for those that there are. A token is for one sitting, not for filling a disk."""
    there = Recording.objects.filter(session_id=session.pk).aggregate(number=Count("pk"), size_bytes=Sum("size_bytes"))
    if there["number"] + (size_bytes is not None) > settings.RECORDINGS_PER_SESSION_MAX:
        raise TooManyRecordings
    if (there["size_bytes"] or 0) + (size_bytes or 0) > settings.RECORDINGS_PER_SESSION_MAX_BYTES:
        raise TooManyRecordings("This session's recordings together are larger than this server accepts for one.")


def find(session: Session, upload_id: str) -> Recording:
    """As a majority has it: what is told of its offset no failover takes back. Raises UploadNotFound. What was cut off
    between the last byte and its answer is finished here."""
    wanted = {"_id": upload_id, "session_id": session.pk}
    stored = as_majority_has(Recording._meta.db_table).find_one(wanted, session=connection.session)
    if stored is None:
        raise UploadNotFound
    recording = instance_of(Recording, stored)
    if recording.state == RecordingState.RECEIVING and recording.is_whole:
        finish(recording)
    elif recording.state == RecordingState.RECEIVING and recording.parts is None:  # it comes in one request
        raise UploadNotFound
    elif recording.is_to_look_at:
        processing.queue(recording)
    return recording


def write(
    recording: Recording,
    *,
    offset: int,
    chunks: Iterable[bytes],
    length: int | None = None,
    checksum: tuple[str, bytes] | None = None,
) -> Recording:
    """Go on at `offset` with what comes, until it ends or breaks off; all that came is then safe.

    Raises WrongOffset, UploadBusy, VideoTooLarge, WrongChecksum; nothing was written then. UploadNotFound when it is
    deleted meanwhile; nothing is left then.
    """
    if recording.offset != offset:
        raise WrongOffset
    if offset + (length or 0) > recording.size_bytes:
        raise VideoTooLarge("This is more than the declared length of the upload.")
    if recording.state != RecordingState.RECEIVING:
        return recording  # whole, and nothing more came: the answer to a request whose first answer was lost
    with _claimed(recording) as claim:
        if checksum is None:
            _append(recording, claim, chunks)
        else:
            with _checked(claim.renewed_while(chunks), checksum) as file:
                claim.keep()  # before the storage is touched: the last bytes may have been long in coming
                _append(recording, claim, iter(lambda: file.read(READ_BYTES), b""))
    if recording.is_whole:
        finish(recording)
    return recording


def finish(recording: Recording) -> None:
    """All bytes are there: make one file of them, once however often this is called."""
    if recording.state == RecordingState.RECEIVING:
        arrival.note(recording)
    if recording.parts is not None:  # else it came in one request
        recording.storage.finish_parts(recording.original, recording.parts)
    arrival.arrived(recording)
    processing.queue(recording)


def give_up(recording: Recording) -> None:
    """Forget an unfinished upload and its bytes. Raises UploadFinished, UploadBusy."""
    if recording.state != RecordingState.RECEIVING:
        raise UploadFinished
    with _claimed(recording):
        arrival.note(recording, Action.DELETED, received_bytes=recording.offset)
        _abort(recording)
    logger.info("session %s: upload %s was given up", recording.session_id, recording.pk)


def _abort(recording: Recording) -> None:
    row = Recording.objects.filter(pk=recording.pk, state=RecordingState.RECEIVING)
    if recording.parts is not None:
        recording.storage.abort_parts(recording.original, recording.parts)
        row.delete()
        return
    with storages["videos"].one_at_a_time(recording.session_id):  # whose bytes may just be coming again
        if row.exists():
            recording.storage.delete(recording.original)
            row.delete()


@dataclass(slots=True)
class Expiry:
    """How many were removed; how many were rejected, whose bytes are lost; and how many could not be dealt with, since
    their storage failed."""

    removed: int = 0
    lost: int = 0
    failed: int = 0


def expire(*, dry_run: bool = False) -> Expiry:
    """Remove the uploads that nobody went on with in time, and what killed processes left in files of their own; one
    that fails stops no other. Safe on several machines at once."""
    at = now()
    stale = Recording.objects.unfinished_since(at)
    if dry_run:
        return Expiry(removed=stale.count())
    uploads.remove_abandoned()
    done = Expiry()
    for recording in stale.iterator():
        try:
            _expire_one(recording, done, at=at)
        except (UploadBusy, UploadNotFound):  # another machine was quicker, or the client came back
            continue
        except (StorageFailed, OSError) as error:
            logger.error("session %s: upload %s did not expire: %s", recording.session_id, recording.pk, error)
            done.failed += 1
    return done


def _expire_one(recording: Recording, done: Expiry, *, at: datetime) -> None:
    if not recording.is_whole:
        give_up(recording)
        done.removed += 1
        return
    try:
        finish(recording)
    except UploadLost as error:
        if at < recording.expires_at + timedelta(seconds=settings.UPLOAD_EXPIRES_AFTER_S):
            raise  # for now: a disk that is not mounted looks like this, too
        _reject(recording, str(error))
        done.lost += 1


def _reject(recording: Recording, reason: str) -> None:
    """The row stays, and says that there was one; what is left of the bytes is removed first."""
    recording.storage.abort_parts(recording.original, recording.parts)
    Recording.objects.filter(pk=recording.pk, state=RecordingState.RECEIVING).update(
        state=RecordingState.REJECTED, reason=reason, original=None, parts=None, expires_at=None
    )
    logger.error("session %s: upload %s is lost and was rejected: %s", recording.session_id, recording.pk, reason)


def _append(recording: Recording, claim: "_Claim", chunks: Iterable[bytes]) -> None:
    incoming = claim.renewed_while(_no_more_than(recording.size_bytes - recording.offset, chunks))
    parts = recording.parts
    try:
        for parts in recording.storage.append(recording.original, recording.parts, incoming):
            expires_at = now() + timedelta(seconds=settings.UPLOAD_EXPIRES_AFTER_S)
            claim.keep(parts=parts, offset=parts["offset"], expires_at=expires_at)
            recording.parts, recording.offset, recording.expires_at = parts, parts["offset"], expires_at
    except UploadNotFound:  # its deletion knew nothing of these bytes
        recording.storage.abort_parts(recording.original, parts)
        raise


def _no_more_than(limit: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if not limit:
            return
        yield chunk[:limit]
        limit -= len(chunk[:limit])


@contextmanager
def _checked(chunks: Iterable[bytes], checksum: tuple[str, bytes]) -> Iterator[BinaryIO]:
    """The bytes, held back on a disk until they are known to be the right ones."""
    algorithm, expected = checksum
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with TemporaryFile() as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        if digest.digest() != expected:
            raise WrongChecksum
        file.seek(0)
        yield file


class _Claim:
    """The right to write to one upload, for UPLOAD_CLAIM_S from the last sign of life."""

    def __init__(self, recording: Recording) -> None:
        self.key = str(uuid4())
        self._recording = recording
        self._uploads = connection.get_collection(Recording._meta.db_table)
        self._renewed = monotonic()

    def take(self) -> None:
        at = naive_utc(now())
        nobody = {"$or": [{"writer": None}, {"writer_until": {"$lt": at}}]}
        wanted = {"_id": self._recording.pk, "state": RecordingState.RECEIVING.value, "offset": self._recording.offset}
        if not self._update(wanted | nobody, writer=self.key, writer_until=_until()):
            raise UploadBusy

    def keep(self, **changes: Any) -> None:
        """Write, as long as the claim holds. Raises UploadBusy; UploadNotFound when the upload was deleted."""
        changes = {name: naive_utc(value) if isinstance(value, datetime) else value for name, value in changes.items()}
        if not self._update({"_id": self._recording.pk, "writer": self.key}, writer_until=_until(), **changes):
            raise UploadBusy if Recording.objects.filter(pk=self._recording.pk).exists() else UploadNotFound
        self._renewed = monotonic()

    def renewed_while(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if monotonic() - self._renewed > settings.UPLOAD_CLAIM_S / RENEWALS_PER_CLAIM:
                self.keep()
            yield chunk

    def drop(self) -> None:
        self._update({"_id": self._recording.pk, "writer": self.key}, writer=None, writer_until=None)

    def _update(self, which: dict[str, Any], **changes: Any) -> bool:
        return self._uploads.update_one(which, {"$set": changes}, session=connection.session).matched_count == 1


@contextmanager
def _claimed(recording: Recording) -> Iterator[_Claim]:
    claim = _Claim(recording)
    claim.take()
    try:
        yield claim
    finally:
        claim.drop()


def _until() -> datetime:
    return naive_utc(now() + timedelta(seconds=settings.UPLOAD_CLAIM_S))
