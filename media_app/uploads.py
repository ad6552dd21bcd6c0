"""The way of an uploaded file to disk: straight, in constant memory, and no further than the limit."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler

from media_app.errors import StorageFailed, VideoTooLarge
from media_app.storage.local import UPLOAD, LocalStorage, remove_old, translated

#: By which ours are known among what other software keeps in the system's folder for temporary files.
PREFIX = "proctoring-"
#: What a multipart body may hold beside the video's bytes: boundaries, headers, small fields.
MULTIPART_OVERHEAD_BYTES = 64 * 1024


class IncomingFile(TemporaryUploadedFile):
    """Lies beside its later place when that is a local disk, so that storing it is a rename.

    Its temporary name takes nothing from the client's: Django's would take the suffix, of any length.
    """

    def __init__(self, name: str, content_type: str, size: int, charset: str, content_type_extra: dict) -> None:
        backend = storages["videos"].backend
        with translated():
            folder = backend.incoming() if isinstance(backend, LocalStorage) else None
            if folder is None:
                remove_abandoned()  # a local disk does so whenever it stores a file
            file = NamedTemporaryFile(prefix=PREFIX, suffix=UPLOAD, dir=folder)  # noqa: SIM115 - Django closes it with the request
        UploadedFile.__init__(self, file, name, content_type, size, charset, content_type_extra)


def remove_abandoned() -> int:
    """Delete what killed processes left of videos that came, or were just being made seekable, also before
    STORAGE_BACKEND was switched; answers how many."""
    there = storages["videos"].on("local").backend.remove_abandoned()
    return there + remove_old(Path(gettempdir()).glob(f"{PREFIX}*{UPLOAD}"))


class VideoUploadHandler(TemporaryFileUploadHandler):
    """Every file goes to disk, whatever its size, and one byte over VIDEO_MAX_BYTES ends the upload."""

    def handle_raw_input(
        self, input_data: Any, META: dict, content_length: int, boundary: bytes, encoding: str | None = None
    ) -> None:
        if content_length > settings.VIDEO_MAX_BYTES + MULTIPART_OVERHEAD_BYTES:
            raise VideoTooLarge.beyond(settings.VIDEO_MAX_BYTES)  # before a byte is read

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self._digest = hashlib.sha256()
        self.file = IncomingFile(self.file_name, self.content_type, 0, self.charset, self.content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.VIDEO_MAX_BYTES:
            self._drop()
            raise VideoTooLarge.beyond(settings.VIDEO_MAX_BYTES)
        with self._on_disk_or_dropped():
            super().receive_data_chunk(raw_data, start)
        self._digest.update(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        self.file.sha256 = self._digest.hexdigest()
        with self._on_disk_or_dropped():
            return super().file_complete(file_size)

    @contextmanager
    def _on_disk_or_dropped(self) -> Iterator[None]:
        try:
            with translated():
                yield
        except StorageFailed:
            self._drop()
            raise

    def _drop(self) -> None:
        """Close it, and with it, its bytes go; also on a disk that does not take its last ones."""
        with suppress(OSError):
            self.file.close()
