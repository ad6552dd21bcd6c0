"""Whether storage and database agree on the recordings, looked at from both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.storage import storages

from media_app import thumbnails
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
    every stored file that nobody names."""
    for recording in Recording.objects.exclude(state=RecordingState.RECEIVING).order_by(
        "session_id", "created_at", "id"
    ):
        yield from _of(recording, hashes=hashes, repair=repair)
    there, old = set(storages["videos"].listdir("")[1]), _old_names()
    for name in sorted(old - there):
        yield Finding("missing", name)
    yield from _orphans(there, old)
    yield from _unfinished()
    yield from _needless_thumbnails(repair=repair)


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
            yield Finding(f"has {storage.size(name):,} bytes in place of {size_bytes:,}", name)
        elif hashes and digests[field] and storage.sha256(name, size_bytes) != digests[field]:
            yield Finding("has another SHA-256 than when it was stored", name)


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
        if tail_of(name) not in arriving:  # a server that was killed may have left the rest of one that is whole by now
            yield Finding("is named by no session", name)


def _unfinished() -> Iterator[Finding]:
    """Uploads in parts on the disk, both ways: where files and database are not of one time, nobody else finds bytes
    that no upload knows. Listed twice, since they come and become whole meanwhile."""
    disk, arriving = storages["videos"].on("local").backend, Recording.objects.filter(state=RecordingState.RECEIVING)
    before = disk.pieces()
    uploads = {upload.parts["part"]: upload for upload in arriving.filter(stored_on="local") if upload.parts}
    after = disk.pieces()
    for part, upload in sorted(uploads.items()):
        if after.get(part, 0) < upload.offset and arriving.filter(pk=upload.pk).exists():
            what = f"lacks bytes of /sessions/{upload.session_id}/uploads/{upload.pk}"
            yield Finding(what, f"{INCOMING}/{part}")
    for part in sorted((before.keys() & after.keys()) - uploads.keys()):
        yield Finding("is of no upload", f"{INCOMING}/{part}")


def _needless_thumbnails(*, repair: bool) -> Iterator[Finding]:
    """Of recordings that were deleted, or moved elsewhere, while somebody looked. They are no evidence themselves."""
    storage = storages["videos"]
    known = set(Recording.objects.filter(stored_on=settings.STORAGE_BACKEND).values_list("pk", flat=True))
    for recording_id in set(thumbnails.recording_ids(storage)) - known:
        if repair:
            thumbnails.forget(recording_id, storage)
        yield Finding("thumbnails of no recording here", f"{thumbnails.FOLDER}/{recording_id}", repaired=repair)
