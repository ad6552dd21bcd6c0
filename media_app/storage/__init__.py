"""Where videos and reports lie: one storage class that STORAGE_BACKEND switches between local disk, Deta Drive and S3.

Adding a backend: one file in this folder, one line in `BACKENDS`, its keys in `REQUIRED_SETTINGS`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from media_app.errors import UploadLost

BACKENDS: Mapping[str, str] = {
    "local": "media_app.storage.local.LocalStorage",
    "deta": "media_app.storage.deta.DetaDriveStorage",
    "s3": "media_app.storage.s3.PrivateS3Storage",
}
REQUIRED_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "local": (),
    "deta": ("DETA_PROJECT_KEY",),
    "s3": ("AWS_STORAGE_BUCKET_NAME",),
}


def backend_class_path(name: str) -> str:
    """The class behind a STORAGE_BACKEND value. Raises ImproperlyConfigured for a value that is not one."""
    try:
        return BACKENDS[name]
    except KeyError:
        raise ImproperlyConfigured(f"STORAGE_BACKEND must be one of {', '.join(BACKENDS)}, not {name!r}.") from None


def missing_settings(name: str) -> list[str]:
    """What this backend cannot work without, and is not set."""
    return [key for key in REQUIRED_SETTINGS[name] if not getattr(settings, key, "")]


class SwitchingStorage:
    """The files of one drive (`videos` or `reports`) on the backend that STORAGE_BACKEND names: what every backend can
    (local.py says of each call what it is) and, the same for all, what stands here."""

    def __init__(self, *, drive: str, backend_name: str | None = None) -> None:
        self.drive = drive
        self.backend_name = backend_name or settings.STORAGE_BACKEND
        self._others: dict[str, SwitchingStorage] = {}

    @cached_property
    def backend(self) -> Storage:
        name = self.backend_name
        path = backend_class_path(name)
        location = settings.DATA_DIR / self.drive if name == "local" else self.drive
        return import_string(path)(location=location)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def on(self, backend: str) -> "SwitchingStorage":
        """The same drive on another backend, for files that were stored when the switch stood otherwise."""
        if backend == self.backend_name:
            return self
        return self._others.setdefault(backend, SwitchingStorage(drive=self.drive, backend_name=backend))

    def sha256(self, name: str, size_bytes: int) -> str:
        """Of what lies there, in hex: all of it is read."""
        digest = hashlib.sha256()
        for chunk in self.read_range(name, 0, size_bytes):
            digest.update(chunk)
        return digest.hexdigest()

    def append(self, name: str, state: dict[str, Any], chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        try:
            yield from self.backend.append(name, state, chunks)
        except FileNotFoundError:  # the client cannot help it; else it would be a fault of ours
            raise UploadLost from None
