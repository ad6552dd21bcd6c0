"""Files on the local disk: whole or not there, never half, and never outside the folder."""

import errno
import fcntl
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage

from media_app.errors import StorageFailed, UploadLost

#: Full, in three ways; read-only; broken; not ours to write to.
DISK_FAILED = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM},
)
#: Unfinished files wait here, in the file system of the finished ones, so that the last step is a rename.
INCOMING = ".incoming"
UPLOAD, PART = ".upload", ".part"
#: Of an upload in parts, which may take days; the recording that it is for says when it expires.
PIECES = ".pieces"
UNFINISHED = {UPLOAD, PART}
SYNC_EVERY_BYTES = 8 * 1024**2
COPY_CHUNK_BYTES = 1024**2
#: What a killed server left unfinished is removed when it is older than any upload can last.
ABANDONED_AFTER_S = 24 * 3600
#: Of each kind a fixed few, so that no lock file ever has to be removed; two keys that share one only wait for each
#: other.
LOCK_FILES = 64


@contextmanager
def translated() -> Iterator[None]:
    """A disk that fails is a storage that failed; every other error is what it is."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAILED:
            raise
        raise StorageFailed(f"The storage of videos and reports failed ({errno.errorcode[error.errno]}).") from error


class LocalStorage(FileSystemStorage):
    """Atomic writes: temporary name, fsync, rename. A name that exists is replaced in one step, for readers too."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself. Ours are made from ids; a second file of that name is meant to replace the first."""
        return name

    @translated()
    def _save(self, name: str, content: File) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = self._take_over(content) or self._copy(content)
        try:
            part.chmod(settings.FILE_UPLOAD_PERMISSIONS)
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        self.remove_abandoned()
        return name

    def _open(self, name: str, mode: str = "rb") -> File:
        try:
            return super()._open(name, mode)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # so there is no such file
                raise FileNotFoundError(error.errno, error.strerror, name) from None
            raise

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name; a folder is none."""
        try:
            return Path(self.path(name)).is_file()
        except OSError:  # a name longer than any file's
            return False

    @contextmanager
    def one_at_a_time(self, key: str, *, among: str = "") -> Iterator[None]:
        """Whoever does this for the same key waits, in this process or in another."""
        with translated():
            file = (self.incoming() / f"{among}{zlib.crc32(key.encode()) % LOCK_FILES:02}.lock").open("w")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def probe(self) -> None:
        """Raise OSError when nothing can be stored: no folder, no right to write, a full or read-only disk."""
        part = self.incoming() / f"{uuid4().hex}{PART}"
        try:
            part.write_bytes(b"probe")
        finally:
            part.unlink(missing_ok=True)

    def incoming(self) -> Path:
        """The folder for unfinished files; made when first asked for."""
        folder = Path(self.location) / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @translated()
    def delete(self, name: str) -> None:
        super().delete(name)

    # --- Files that arrive in pieces, over many requests: {"offset", "part"}; the part is a file in `incoming()`

    @translated()
    def start_parts(self, name: str) -> dict[str, Any]:
        part = f"{uuid4().hex}{PIECES}"
        (self.incoming() / part).touch(settings.FILE_UPLOAD_PERMISSIONS, exist_ok=False)
        return {"offset": 0, "part": part}

    def append(self, name: str, state: dict[str, Any], chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Write behind `state["offset"]`, over whatever a killed server left there; yields what is on the disk.

        Nothing is cut off: who comes with an old state, having lost the right to write meanwhile, must not take from
        another what was answered for.
        """
        with translated(), self._part(state) as file:
            offset = safe = state["offset"]
            file.seek(offset)
            for chunk in chunks:
                file.write(chunk)
                offset += len(chunk)
                if offset - safe >= SYNC_EVERY_BYTES:
                    safe = self._sync(file, offset)
                    yield {**state, "offset": safe}
            if offset > safe:
                yield {**state, "offset": self._sync(file, offset)}

    @translated()
    def finish_parts(self, name: str, state: dict[str, Any]) -> None:
        target = Path(self.path(name))
        part = self.incoming() / state["part"]
        try:
            with self._part(state) as file:
                file.truncate(state["offset"])  # what a killed server may have left behind it
                os.fsync(file.fileno())
            part.chmod(settings.FILE_UPLOAD_PERMISSIONS)
            part.replace(target)
        except FileNotFoundError:
            if not target.exists():  # else an earlier call did it
                raise UploadLost from None
        _sync_folder(target.parent)

    @translated()
    def abort_parts(self, name: str, state: dict[str, Any]) -> None:
        (self.incoming() / state["part"]).unlink(missing_ok=True)

    def pieces(self) -> dict[str, int]:
        """Every file of an upload in parts, with its size. Makes no folder for that."""
        sizes = {}
        for part in (Path(self.location) / INCOMING).glob(f"*{PIECES}"):
            with suppress(FileNotFoundError):  # whole since it was listed
                sizes[part.name] = part.stat().st_size
        return sizes

    @contextmanager
    def _part(self, state: dict[str, Any]) -> Iterator[BinaryIO]:
        """Raises FileNotFoundError, and UploadLost for one with fewer bytes than were answered for: it would be
        gone on with behind zeros."""
        with (self.incoming() / state["part"]).open("r+b") as file:
            if os.fstat(file.fileno()).st_size < state["offset"]:
                raise UploadLost("The storage has fewer bytes of the upload than before.")
            yield file

    @staticmethod
    def _sync(file: BinaryIO, offset: int) -> int:
        file.flush()
        os.fsync(file.fileno())
        return offset

    # --- Reading

    def read_range(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`. Raises FileNotFoundError at once, before the first is asked for."""
        file = self.open(name)
        return _chunks(file, start, end)

    def changed_at(self, name: str) -> datetime | None:
        return self.get_modified_time(name)

    def local_path(self, name: str) -> Path | None:
        return Path(self.path(name))

    def signed_url(self, name: str, *, expires_s: int, content_type: str, filename: str) -> str | None:
        """A folder has no links; it is served by us, or by a proxy beside us."""
        return None

    def remove_abandoned(self) -> int:
        """Delete unfinished files that nobody finishes any more; answers how many. Makes no folder for that."""
        arriving = (Path(self.location) / INCOMING).glob("*")
        return remove_old(part for part in arriving if part.suffix in UNFINISHED)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        try:
            folders, files = super().listdir(path)
        except FileNotFoundError:  # nothing was stored yet
            return [], []
        return [name for name in folders if name != INCOMING], files

    def _take_over(self, content: File) -> Path | None:
        """An upload that Django already wrote into `incoming()` is synced where it lies; its bytes move no more."""
        if not hasattr(content, "temporary_file_path"):
            return None
        uploaded = Path(content.temporary_file_path())
        if uploaded.parent != self.incoming():
            return None
        content.flush()
        os.fsync(content.fileno())
        part = self.incoming() / f"{uuid4().hex}{PART}"
        try:
            os.link(uploaded, part)  # the upload's own name is Django's to remove
        except OSError:  # a file system without hard links
            return None
        return part

    def _copy(self, content: File) -> Path:
        part = self.incoming() / f"{uuid4().hex}{PART}"
        try:
            part.touch(settings.FILE_UPLOAD_PERMISSIONS, exist_ok=False)  # as later, also when nobody finishes it
            with part.open("r+b") as out:
                for chunk in content.chunks(COPY_CHUNK_BYTES):
                    out.write(chunk if isinstance(chunk, bytes) else chunk.encode())
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return part


def remove_old(files: Iterable[Path]) -> int:
    """Those of these that nobody writes to any more; answers how many that were. One that stays stops nobody."""
    limit = time.time() - ABANDONED_AFTER_S
    removed = 0
    for file in files:
        # Finished or removed by another since it was listed; of another account; a folder; on a disk that fails.
        with suppress(OSError):
            if file.stat().st_mtime < limit:
                file.unlink()
                removed += 1
    return removed


def _chunks(file: File, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (chunk := file.read(min(COPY_CHUNK_BYTES, end - start))):
            start += len(chunk)
            yield chunk


def _sync_folder(folder: Path) -> None:
    """Without this a rename may be forgotten when the power fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
