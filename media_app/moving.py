"""Recordings that move from one storage to another: copied, read back and compared, and only then looked for there.

One job per recording, so that workers share them; cut off anywhere, a second run goes on.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import storages

from media_app import thumbnails
from media_app.errors import StorageFailed
from media_app.models import Recording, RecordingState
from proctoring_site.jobs.queue import job, submit

logger = logging.getLogger(__name__)

#: Those that are still written to, or looked at, move another time.
SETTLED = (RecordingState.READY, RecordingState.REJECTED)


def movable(source: str) -> Any:
    return Recording.objects.filter(stored_on=source, state__in=SETTLED).order_by("session_id", "created_at", "id")


def move_all(*, source: str, target: str, delete_source: bool) -> int:
    """Queue every settled recording that lies on `source`; answers how many."""
    ids = list(movable(source).values_list("pk", flat=True))
    for recording_id in ids:
        submit(move_recording, recording_id, source=source, target=target, delete_source=delete_source)
    return len(ids)


@job(name="move_recording")
def move_recording(recording_id: str, *, source: str, target: str, delete_source: bool) -> None:
    recording = Recording.objects.filter(pk=recording_id, state__in=SETTLED).first()
    if recording is None or recording.stored_on not in (source, target):
        return
    if recording.stored_on == source:
        for name in recording.files:
            _copy(name, _digests(recording).get(name), storages["videos"].on(source), storages["videos"].on(target))
        Recording.objects.filter(pk=recording.pk, stored_on=source).update(stored_on=target)
        logger.info("session %s: recording %s moved to %s", recording.session_id, recording.pk, target)
    if delete_source:
        for name in recording.files:
            storages["videos"].on(source).delete(name)
        thumbnails.forget(recording.pk, storages["videos"].on(source))  # they are made again where it lies now


def _copy(name: str, known: str | None, source: Any, target: Any) -> None:
    """Raises StorageFailed when what arrived is not what was stored; the source is as it was, whatever happens."""
    size_bytes = source.size(name)
    expected = known or _sha256(source, name, size_bytes)
    if target.exists(name):
        if target.size(name) == size_bytes and _sha256(target, name, size_bytes) == expected:
            return  # an earlier run came so far
        target.delete(name)
    last = deque([target.start_parts(name)], maxlen=1)
    try:
        last.extend(target.append(name, last[0], source.read_range(name, 0, size_bytes)))
        target.finish_parts(name, last[0])
    except BaseException:
        target.abort_parts(name, last[0])
        raise
    if _sha256(target, name, size_bytes) != expected:
        target.delete(name)
        raise StorageFailed("A copied file is not the one that was stored; it was not taken.")


def _digests(recording: Recording) -> dict[str | None, str | None]:
    return {recording.original: recording.sha256, recording.watchable: recording.watchable_sha256}


def _sha256(storage: Any, name: str, size_bytes: int) -> str:
    digest = hashlib.sha256()
    chunks: Iterator[bytes] = storage.read_range(name, 0, size_bytes)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
