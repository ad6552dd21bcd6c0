"""Recordings that move from one storage to another: copied, read back and compared, and only then looked for there.

Videos of the time before recordings, and reports, go with them: no row says where they lie, STORAGE_BACKEND does.
One job per recording or file, so that workers share them; cut off anywhere, a second run goes on.
"""

import hashlib
import logging
import re
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.core.files.storage import storages

from media_app import arrival, processing, thumbnails
from media_app.arrival import OF_A_RECORDING
from media_app.models import Recording, RecordingState
from media_app.storage.parts import is_tail
from proctoring_site.jobs.models import Job, JobState
from proctoring_site.jobs.queue import job, submit
from sessions_app.models import Session

logger = logging.getLogger(__name__)

#: Those that are still written to, or looked at, move another time.
SETTLED = (RecordingState.READY, RecordingState.REJECTED)
#: By drive, the session that a stored file belongs to, by its name. reports_app has its own (reports_app/apps.py).
SESSION_OF: dict[str, Callable[[str], str]] = {"videos": arrival.session_id_of}
#: Of files whose sessions are looked up in one query.
BATCH = 500


class OtherBytes(Exception):
    """No failure of the storage's that passes: a person has to look."""

    sentence = "A copied file is not the one that was stored; it was not used."


def movable(source: str) -> Any:
    return Recording.objects.filter(stored_on=source, state__in=SETTLED).order_by("session_id", "created_at", "id")


def move_all(*, source: str, target: str, delete_source: bool) -> list[str]:
    """Queue every settled recording that lies on `source`; answers the ids of the jobs.

    With `delete_source` those that lie on `target` already, too: an earlier run may have left their files behind.
    """
    ids = list(movable(source).values_list("pk", "session_id"))
    if delete_source:
        ids += movable(target).values_list("pk", "session_id")
    how = {"source": source, "target": target, "delete_source": delete_source}
    return [submit(move_recording, _key(pk, how), session_id=session_id, **how).pk for pk, session_id in ids]


def files_without_a_row(source: str) -> list[tuple[str, str]]:
    """Drive and name of what lies on `source`, is no recording's, and somebody may look for."""
    return [file for file, is_wanted in _unrecorded(source) if is_wanted and not _of_a_recording(file)]


def left_behind(source: str) -> list[tuple[str, str]]:
    """The same of what a session's deletion left there, since the files in use lay elsewhere by then."""
    return [file for file, is_wanted in _unrecorded(source) if not is_wanted]


def queue_files(files: list[tuple[str, str]], *, source: str, target: str, delete_source: bool) -> list[str]:
    """To be copied or, where nobody looks for them, only deleted; answers the ids of the jobs."""
    how = {"source": source, "target": target, "delete_source": delete_source}
    return [_submit_file(file, how) for file in files]


def unfinished(job_ids: list[str]) -> int:
    return Job.objects.filter(pk__in=job_ids).exclude(state=JobState.DONE).count()


@job(name="copy_file")
def copy_file(key: str, *, drive: str, name: str, source: str, target: str, delete_source: bool) -> None:
    """Deleted only where nobody looks for it any more. A report that is there and in use is the newer one; what is
    nobody's any more is not brought there at all."""
    here, there = storages[drive].on(source), storages[drive].on(target)
    is_report = drive == "reports"
    file, of_a_recording = (drive, name), _of_a_recording((drive, name))
    with _alone(f"{drive}/{name}"):
        is_wanted = bool(_wanted([file]))
        if is_wanted and of_a_recording:
            return  # move_recording's
        is_newer_there = is_report and target == settings.STORAGE_BACKEND and there.exists(name)
        if is_wanted and here.exists(name) and not is_newer_there:
            _copy(name, None, here, there, replace=is_report)
            if not _wanted([file]):  # its session was deleted meanwhile
                there.delete(name)
        if delete_source and source != settings.STORAGE_BACKEND:
            here.delete(name)
            if of_a_recording:
                thumbnails.forget(of_a_recording["id"], here)


def _unrecorded(source: str) -> list[tuple[tuple[str, str], bool]]:
    """Each file that lies there and is no living recording's, and whether somebody may look for it."""
    videos = [name for name in storages["videos"].on(source).listdir("")[1] if _is_whole(name)]
    reports = storages["reports"].on(source).listdir("")[1]
    files = [("videos", name) for name in sorted(videos)] + [("reports", name) for name in sorted(reports)]
    wanted = _wanted(files)
    return [(file, file in wanted) for file in files]


def _is_whole(name: str) -> bool:
    return not (name.startswith(".") or is_tail(name))


def _wanted(files: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of a recording or a session that there is, by their names, and those that a session calls its video. A
    recording goes with its session only: what has no row yet, or lost it, is not nobody's."""
    found: set[tuple[str, str]] = set()
    for batch in (files[start : start + BATCH] for start in range(0, len(files), BATCH)):
        recordings = {file: match["id"] for file in batch if (match := _of_a_recording(file))}
        sessions = {(drive, name): SESSION_OF[drive](name) for drive, name in batch}
        for ids, model in ((recordings, Recording), (sessions, Session)):
            known = set(model.objects.filter(pk__in=set(ids.values())).values_list("pk", flat=True))
            found |= {file for file, its_id in ids.items() if its_id in known}
    rest = {name for drive, name in set(files) - found if drive == "videos"}
    if rest:  # an adopted path may name any file
        called = Session.objects.with_video().only("video_path").iterator()
        found |= {("videos", session.video_name) for session in called if session.video_name in rest}
    return found


def _of_a_recording(file: tuple[str, str]) -> re.Match[str] | None:
    return OF_A_RECORDING.search(file[1]) if file[0] == "videos" else None


@job(name="move_recording")
def move_recording(key: str, *, source: str, target: str, delete_source: bool, session_id: str | None = None) -> None:
    """`key` begins with the recording's id; `session_id` is for when there is no row any more to say so."""
    recording_id = key.partition(" ")[0]
    with _alone(recording_id):
        recording = Recording.objects.filter(pk=recording_id).first()
        if recording is None:
            if session_id:
                _remove_everywhere(Recording(pk=recording_id, session_id=session_id), source, target)
        elif recording.state in SETTLED and recording.stored_on in (source, target):
            _move(recording, source=source, target=target, delete_source=delete_source)


def _remove_everywhere(deleted: Recording, *backends: str) -> None:
    """An earlier try may have been killed before it looked whether the session was deleted, at any step."""
    for backend in backends:
        processing.remove_if_deleted(deleted, arrival.names_of(deleted), storages["videos"].on(backend))


def _move(recording: Recording, *, source: str, target: str, delete_source: bool) -> None:
    here, there = storages["videos"].on(source), storages["videos"].on(target)
    was_moved = recording.stored_on == target
    names = [name for name in recording.files if not was_moved or (delete_source and here.exists(name))]
    try:
        for name in names:
            _copy_of(recording, name, here, there)
        with storages["videos"].one_at_a_time(recording.session_id):
            moved = Recording.objects.filter(pk=recording.pk, stored_on=source).update(stored_on=target)
            for name in set(names) - set(_files_now(recording)):
                there.delete(name)
        if moved:
            logger.info("session %s: recording %s moved to %s", recording.session_id, recording.pk, target)
    finally:
        processing.remove_if_deleted(recording, names, there)
    if delete_source:
        for name in names:
            here.delete(name)
        thumbnails.forget(recording.pk, here)  # they are made again where it lies now


def _copy_of(recording: Recording, name: str, here: Any, there: Any) -> None:
    try:
        _copy(name, _digests(recording).get(name), here, there)
    except FileNotFoundError:
        with storages["videos"].one_at_a_time(recording.session_id):
            if name in _files_now(recording):
                raise


def _files_now(recording: Recording) -> list[str]:
    """Of a recording that is ready, its original is let go only now (processing.py), by who holds the session's lock.
    Of one that was deleted, those that it had: `remove_if_deleted` is for them."""
    return (Recording.objects.filter(pk=recording.pk).first() or recording).files


def _key(recording_id: str, how: dict[str, Any]) -> str:
    """A run with other arguments is other work, not the one that waits already."""
    return f"{recording_id} {how['source']} {how['target']}{' clear' if how['delete_source'] else ''}"


def _submit_file(file: tuple[str, str], how: dict[str, Any]) -> str:
    drive, name = file
    key = hashlib.sha256(f"{drive}/{_key(name, how)}".encode()).hexdigest()
    return submit(copy_file, key, drive=drive, name=name, **how).pk


def _alone(what: str) -> AbstractContextManager[None]:
    """Two runs may go on at a time, with other arguments."""
    return storages["videos"].one_at_a_time(what, among="moving-")


def _copy(name: str, known: str | None, source: Any, target: Any, *, replace: bool = True) -> None:
    """Raises OtherBytes when what arrived is not what was stored; the source is as it was, whatever happens."""
    size_bytes = source.size(name)
    expected = known or source.sha256(name, size_bytes)
    if target.exists(name):
        if target.sha256(name, target.size(name)) == expected:
            return  # an earlier run came so far
        if not replace:
            raise OtherBytes("Another file of that name is already there; a person must say which is the evidence.")
        if source.sha256(name, size_bytes) != expected:
            raise OtherBytes("Neither of the two files is the one that was stored; both were left as they are.")
        target.delete(name)
    last = deque([target.start_parts(name)], maxlen=1)
    try:
        last.extend(target.append(name, last[0], source.read_range(name, 0, size_bytes)))
        target.finish_parts(name, last[0])
    except BaseException:
        target.abort_parts(name, last[0])
        raise
    if target.sha256(name, size_bytes) != expected:
        target.delete(name)
        raise OtherBytes(OtherBytes.sentence)


def _digests(recording: Recording) -> dict[str | None, str | None]:
    """What is known of its files; of a rejected one that may be what they are not, and why it was rejected."""
    if recording.state == RecordingState.REJECTED:
        return {}
    return {recording.original: recording.sha256, recording.watchable: recording.watchable_sha256}
