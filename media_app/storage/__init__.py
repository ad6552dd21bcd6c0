"""Where videos and reports lie: one storage class that STORAGE_BACKEND switches between local disk, Deta Drive and S3.

Adding a backend: one file in this folder, one line in `BACKENDS`, its keys in `REQUIRED_SETTINGS`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import Storage
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from media_app.errors import UploadLost

BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "local": "media_app.storage.local.LocalStorage",
        "deta": "media_app.storage.deta.DetaDriveStorage",
        "s3": "media_app.storage.s3.PrivateS3Storage",
    }
)
REQUIRED_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"local": (), "deta": ("DETA_PROJECT_KEY",), "s3": ("AWS_STORAGE_BUCKET_NAME",)}
)


def backend_class_path(name: str) -> str:
    """The class behind a STORAGE_BACKEND value. Raises ImproperlyConfigured for a value that is not one."""
    try:
        return BACKENDS[name]
    except KeyError:
        raise ImproperlyConfigured(f"STORAGE_BACKEND must be one of {', '.join(BACKENDS)}, not {name!r}.") from None


def missing_settings(name: str) -> list[str]:
    """What this backend cannot work without, and is not set."""
    return [key for key in REQUIRED_SETTINGS[name] if not getattr(settings, key, "")]


class SwitchingStorage(Storage):
    """The files of one drive (`videos` or `reports`) on the backend that STORAGE_BACKEND names."""

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

    # Storage.save would ask for a free name first; the backend decides that.
    def save(self, name: str, content: File, max_length: int | None = None) -> str:
        return self.backend.save(name, content, max_length=max_length)

    def on(self, backend: str) -> "SwitchingStorage":
        """The same drive on another backend, for files that were stored when the switch stood otherwise."""
        if backend == self.backend_name:
            return self
        return self._others.setdefault(backend, SwitchingStorage(drive=self.drive, backend_name=backend))

    def one_at_a_time(self, key: str, *, among: str = "") -> AbstractContextManager[None]:
        """For steps on several files and the database that must not mix with another's for the same key.

        Keys of one kind (`among`) may wait for each other, those of different kinds never do: who holds one may take
        one of another kind.
        """
        return self.backend.one_at_a_time(key, among=among)

    def probe(self) -> None:
        """Return when a file could be stored now; raise OSError when not. Cheap, and leaves nothing behind."""
        self.backend.probe()

    def open(self, name: str, mode: str = "rb") -> File:
        return self.backend.open(name, mode)

    def delete(self, name: str) -> None:
        self.backend.delete(name)

    def exists(self, name: str) -> bool:
        return self.backend.exists(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return self.backend.listdir(path)

    def size(self, name: str) -> int:
        return self.backend.size(name)

    def changed_at(self, name: str) -> datetime | None:
        """None where the backend keeps no times."""
        return self.backend.changed_at(name)

    def read_range(self, name: str, start: int, end: int) -> Iterator[bytes]:
        return self.backend.read_range(name, start, end)

    def sha256(self, name: str, size_bytes: int) -> str:
        """Of what lies there, in hex: all of it is read."""
        digest = hashlib.sha256()
        for chunk in self.read_range(name, 0, size_bytes):
            digest.update(chunk)
        return digest.hexdigest()

    def local_path(self, name: str) -> Path | None:
        return self.backend.local_path(name)

    def signed_url(self, name: str, **how: Any) -> str | None:
        return self.backend.signed_url(name, **how)

    def start_parts(self, name: str) -> dict[str, Any]:
        return self.backend.start_parts(name)

    def append(self, name: str, state: dict[str, Any], chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        try:
            yield from self.backend.append(name, state, chunks)
        except FileNotFoundError:  # the client cannot help it; else it would be a fault of ours
            raise UploadLost from None

    def finish_parts(self, name: str, state: dict[str, Any]) -> None:
        self.backend.finish_parts(name, state)

    def abort_parts(self, name: str, state: dict[str, Any]) -> None:
        self.backend.abort_parts(name, state)
