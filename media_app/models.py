"""Recordings: what the camera or the screen of a sitting showed, from its first byte on to a file to watch."""

from typing import Any

from django.core.files.storage import storages
from django.db import models

from media_app.querysets import RecordingQuerySet
from proctoring_site.mongo_engine.fields import DocumentField
from sessions_app.ids import new_id
from sessions_app.models import now

#: `video_path` is the path at which the file is served.
SERVED_UNDER = "videos/"


class RecordingKind(models.TextChoices):
    CAMERA = "camera"
    SCREEN = "screen"


class RecordingState(models.TextChoices):
    RECEIVING = "receiving"  # bytes are missing still
    PROCESSING = "processing"  # all are stored; looked at in the background (processing.py)
    READY = "ready"
    REJECTED = "rejected"  # kept, and never shown as video; `reason` says why


class Recording(models.Model):
    """One file of one sitting. A session may have several, one after the other or side by side."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    session_id = models.CharField(max_length=36)
    kind = models.CharField(max_length=8, choices=RecordingKind.choices, default=RecordingKind.CAMERA)
    state = models.CharField(max_length=12, choices=RecordingState.choices, default=RecordingState.RECEIVING)
    reason = models.CharField(max_length=300, null=True)
    created_at = models.DateTimeField(default=now)
    arrived_at = models.DateTimeField(null=True)
    #: What the client called it and said of it: for people to read, never used as a path or a type.
    told_name = models.CharField(max_length=255, null=True)
    told_type = models.CharField(max_length=100, null=True)
    told_sha256 = models.CharField(max_length=64, null=True)
    #: Seconds from the session's start to the first picture.
    start_offset_s = models.FloatField(null=True)

    # --- While it arrives (resumable.py)
    size_bytes = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    #: The storage's own note of what it has; see media_app.storage.
    parts = DocumentField(null=True)
    expires_at = models.DateTimeField(null=True)
    #: Whoever writes holds it until then; a server that died lets go by itself.
    writer = models.CharField(max_length=36, null=True)
    writer_until = models.DateTimeField(null=True)

    # --- Where it lies
    #: One of media_app.storage.BACKENDS; recordings of one session may lie on several while they move.
    stored_on = models.CharField(max_length=16)
    #: The file as it came, until another made of it was verified (KEEP_ORIGINALS: and after that).
    original = models.CharField(max_length=120, null=True)
    #: The file that can be sought in, made of the same pictures and sound without coding them again.
    watchable = models.CharField(max_length=120, null=True)
    watchable_bytes = models.BigIntegerField(null=True)
    watchable_sha256 = models.CharField(max_length=64, null=True)
    poster = models.CharField(max_length=120, null=True)
    #: The name at which it is served; None until it is known to be a video.
    name = models.CharField(max_length=120, null=True)
    #: Of the file as it came.
    sha256 = models.CharField(max_length=64, null=True)

    # --- What it is (recording_file.py); None is unknown
    duration_s = models.FloatField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    frame_rate = models.FloatField(null=True)
    video_codec = models.CharField(max_length=32, null=True)
    audio_codec = models.CharField(max_length=32, null=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        db_table = "recordings"
        default_permissions = ()
        indexes = [
            models.Index(fields=["session_id", "created_at", "id"], name="recordings_session"),
            models.Index(fields=["name"], name="recordings_name"),
            models.Index(fields=["state", "expires_at", "id"], name="recordings_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of session {self.session_id} ({self.state})"

    @property
    def storage(self) -> Any:
        """Where its files lie."""
        return storages["videos"].on(self.stored_on)

    @property
    def is_whole(self) -> bool:
        return self.offset == self.size_bytes

    @property
    def is_to_look_at(self) -> bool:
        """Whole, and not looked at yet. With a reason it could not be, and a person has that done again."""
        return self.state == RecordingState.PROCESSING and self.reason is None

    @property
    def served_file(self) -> str | None:
        """The stored file to show; None when there is none that may be shown."""
        if self.state == RecordingState.REJECTED or self.name is None:
            return None
        return self.watchable or self.original

    @property
    def video_path(self) -> str | None:
        """Where it is served, in the form of the session's own; None while there is nothing to watch."""
        return f"{SERVED_UNDER}{self.name}" if self.served_file else None

    @property
    def has_poster(self) -> bool:
        return self.poster is not None

    @property
    def files(self) -> list[str]:
        return [name for name in (self.original, self.watchable, self.poster) if name]
