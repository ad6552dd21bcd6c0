"""Whether storage and database agree on the recordings, looked at from both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.storage import storages

from media_app import thumbnails
from media_app.arrival import OF_A_RECORDING
from media_app.models import Recording, RecordingState
from media_app.storage.local import INCOMING
from media_app.storage.parts import tail_of
from sessions_app.models import Session


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `repaired`: it does now, and nothing that could be evidence was touched."""

    problem: str
    name: str
    repaired: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}{', repaired' if self.repaired else ''}"


def verify(*, hashes: bool = False, repair: bool = False) -> Iterator[Finding]:
    """Every recording's files, their sizes and (`hashes`) contents; every video of the time before recordings; then
    every stored file that nobody names. The service may run: what does not agree is looked at once more."""
    for recording in Recording.objects.exclude(state=RecordingState.RECEIVING).order_by(
        "session_id", "created_at", "id"
    ):
        if not _agrees(recording, hashes=hashes):
            with storages["videos"].one_at_a_time(recording.session_id):  # so none of its files comes or goes
                for now in Recording.objects.filter(pk=recording.pk):
                    yield from _of(now, hashes=hashes, repair=repair)
    there, old = set(storages["videos"].listdir("")[1]), _old_names()
    if missing := old - there:
        for name in sorted(missing & _old_names()):
            yield Finding("missing", name)
    yield from _orphans(there, old)
    yield from _unfinished()
    yield from _needless_thumbnails(repair=repair)


def _agrees(recording: Recording, *, hashes: bool) -> bool:
    try:
        return not any(_of(recording, hashes=hashes, repair=False))
    except FileNotFoundError:  # it went meanwhile
        return False


def _of(recording: Recording, *, hashes: bool, repair: bool) -> Iterator[Finding]:
    storage = recording.storage
    sizes = {"original": recording.size_bytes, "watchable": recording.watchable_bytes, "poster": None}
    digests = {"original": recording.sha256, "watchable": recording.watchable_sha256, "poster": None}
    for field, size_bytes in sizes.items():
        name = getattr(recording, field)
        if name is None:
            continue
        if not storage.exists(name):
            needless = field == "poster" or (field == "original" and _is_whole(storage, recording))
            if repair and needless:
                Recording.objects.filter(pk=recording.pk).update(**{field: None})
            yield Finding("missing", name, repaired=repair and needless)
        elif size_bytes is not None and storage.size(name) != size_bytes:
            yield Finding(f"has {storage.size(name):,} bytes instead of {size_bytes:,}", name)
        elif hashes and digests[field] and storage.sha256(name, size_bytes) != digests[field]:
            yield Finding("has a different SHA-256 than when it was stored", name)


def _is_whole(storage: Any, recording: Recording) -> bool:
    """The seekable copy is there as it was verified, so that the original need not be."""
    name = recording.watchable
    return name is not None and storage.exists(name) and storage.size(name) == recording.watchable_bytes


def _old_names() -> set[str]:
    """What sessions call their video and no recording is served as."""
    sessions = Session.objects.with_video().only("video_path")
    named = {session.video_name for session in sessions.iterator()} - {None}
    return named - set(Recording.objects.exclude(name=None).values_list("name", flat=True))


def _orphans(there: set[str], old: set[str]) -> Iterator[Finding]:
    """On the storage in use. Never removed: what nobody names may be evidence that the database lost."""
    here = list(Recording.objects.filter(stored_on=settings.STORAGE_BACKEND))
    named = {name for recording in here for name in recording.files}
    arriving = {recording.original for recording in here if recording.state == RecordingState.RECEIVING}
    for name in sorted(there - named - old):
        # A server that was killed may have left the rest of one that is whole by now.
        if tail_of(name) not in arriving and _is_nobodys(name):
            yield Finding("belongs to no session", name)


def _is_nobodys(name: str) -> bool:
    """Neither made right now nor let go since it was listed."""
    if match := OF_A_RECORDING.search(name):
        recording = Recording.objects.filter(pk=match["id"]).first()
        if recording and (recording.state == RecordingState.PROCESSING or name in recording.files):
            return False
    return storages["videos"].exists(name)


def _unfinished() -> Iterator[Finding]:
    """Uploads in parts on the disk, both ways: where files and database are not of one time, nobody else finds bytes
    that no upload knows. Both are listed twice, since uploads begin and become whole meanwhile."""
    disk = storages["videos"].on("local").backend
    before, uploads = disk.pieces(), _uploads()
    after, still = disk.pieces(), _uploads()
    for part in sorted(uploads.keys() & still.keys()):
        upload = uploads[part]
        if after.get(part, 0) < upload.offset and not disk.exists(upload.original):  # else it was just made whole
            what = f"lacks bytes of /sessions/{upload.session_id}/uploads/{upload.pk}"
            yield Finding(what, f"{INCOMING}/{part}")
    for part in sorted((before.keys() & after.keys()) - uploads.keys() - still.keys()):
        yield Finding("belongs to no upload", f"{INCOMING}/{part}")


def _uploads() -> dict[str, Recording]:
    """By the file of each that arrives on the disk in parts."""
    arriving = Recording.objects.filter(state=RecordingState.RECEIVING, stored_on="local")
    return {upload.parts["part"]: upload for upload in arriving if upload.parts}


def _needless_thumbnails(*, repair: bool) -> Iterator[Finding]:
    """Of recordings that were deleted, or moved elsewhere, while somebody looked. They are no evidence themselves."""
    storage = storages["videos"]
    known = set(Recording.objects.filter(stored_on=settings.STORAGE_BACKEND).values_list("pk", flat=True))
    for recording_id in set(thumbnails.recording_ids(storage)) - known:
        if repair:
            thumbnails.forget(recording_id, storage)
        yield Finding("thumbnails of no recording here", f"{thumbnails.FOLDER}/{recording_id}", repaired=repair)
