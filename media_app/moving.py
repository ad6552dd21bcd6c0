"""Recordings that move from one storage to another: copied, read back and compared, and only then looked for there.

Videos of the time before recordings, and reports, go with them: no row says where they lie, STORAGE_BACKEND does.
One job per recording or file, so that workers share them; cut off anywhere, a second run goes on.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.storage import storages

from media_app import thumbnails
from media_app.arrival import OF_A_RECORDING
from media_app.errors import StorageFailed
from media_app.models import Recording, RecordingState
from media_app.storage.parts import is_tail
from proctoring_site.jobs.models import Job, JobState
from proctoring_site.jobs.queue import job, submit

logger = logging.getLogger(__name__)

#: Those that are still written to, or looked at, move another time.
SETTLED = (RecordingState.READY, RecordingState.REJECTED)


def movable(source: str) -> Any:
    return Recording.objects.filter(stored_on=source, state__in=SETTLED).order_by("session_id", "created_at", "id")


def move_all(*, source: str, target: str, delete_source: bool) -> list[str]:
    """Queue every settled recording that lies on `source`; answers the ids of the jobs.

    With `delete_source` those that lie on `target` already, too: an earlier run may have left their files behind.
    """
    ids = list(movable(source).values_list("pk", flat=True))
    if delete_source:
        ids += movable(target).values_list("pk", flat=True)
    how = {"source": source, "target": target, "delete_source": delete_source}
    return [submit(move_recording, recording_id, **how).pk for recording_id in ids]


def files_without_a_row(source: str) -> list[tuple[str, str]]:
    """Drive and name of what lies on `source` and is no recording's."""
    videos = [name for name in storages["videos"].on(source).listdir("")[1] if _is_old_video(name)]
    reports = storages["reports"].on(source).listdir("")[1]
    return [("videos", name) for name in sorted(videos)] + [("reports", name) for name in sorted(reports)]


def copy_files(*, source: str, target: str, delete_source: bool) -> list[str]:
    """Queue all of them; answers the ids of the jobs."""
    how = {"source": source, "target": target, "delete_source": delete_source}
    return [
        submit(copy_file, hashlib.sha256(f"{drive}/{name}".encode()).hexdigest(), drive=drive, name=name, **how).pk
        for drive, name in files_without_a_row(source)
    ]


def unfinished(job_ids: list[str]) -> int:
    return Job.objects.filter(pk__in=job_ids).exclude(state=JobState.DONE).count()


@job(name="copy_file")
def copy_file(key: str, *, drive: str, name: str, source: str, target: str, delete_source: bool) -> None:
    """Deleted only where nobody looks for it any more. A report that is there and in use is the newer one."""
    here, there = storages[drive].on(source), storages[drive].on(target)
    is_report = drive == "reports"
    is_newer_there = is_report and target == settings.STORAGE_BACKEND and there.exists(name)
    if here.exists(name) and not is_newer_there:
        _copy(name, None, here, there, replace=is_report)
    if delete_source and source != settings.STORAGE_BACKEND:
        here.delete(name)


def _is_old_video(name: str) -> bool:
    return not (name.startswith(".") or OF_A_RECORDING.search(name) or is_tail(name))


@job(name="move_recording")
def move_recording(recording_id: str, *, source: str, target: str, delete_source: bool) -> None:
    recording = Recording.objects.filter(pk=recording_id, state__in=SETTLED).first()
    if recording is None or recording.stored_on not in (source, target):
        return
    here, there = storages["videos"].on(source), storages["videos"].on(target)
    was_moved = recording.stored_on == target
    names = [name for name in recording.files if not was_moved or (delete_source and here.exists(name))]
    for name in names:
        _copy(name, _digests(recording).get(name), here, there)
    if not was_moved:
        Recording.objects.filter(pk=recording.pk, stored_on=source).update(stored_on=target)
        logger.info("session %s: recording %s moved to %s", recording.session_id, recording.pk, target)
    if delete_source:
        for name in names:
            here.delete(name)
        thumbnails.forget(recording.pk, here)  # they are made again where it lies now


def _copy(name: str, known: str | None, source: Any, target: Any, *, replace: bool = True) -> None:
    """Raises StorageFailed when what arrived is not what was stored; the source is as it was, whatever happens."""
    size_bytes = source.size(name)
    expected = known or _sha256(source, name, size_bytes)
    if target.exists(name):
        if _sha256(target, name, target.size(name)) == expected:
            return  # an earlier run came so far
        if not replace:
            raise StorageFailed("Another file of that name is there already; which one is the evidence, a person says.")
        if _sha256(source, name, size_bytes) != expected:
            raise StorageFailed("Neither of two files is the one that was stored; both were left as they are.")
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
