"""A stored file, wherever it lies, as a file that can be sought in: a block is asked for when it is needed."""

import io
from typing import Any

from django.core.files import File

BLOCK_BYTES = 1024**2
#: A demuxer goes to and fro between a few places: the index, the pictures, the sound.
BLOCKS_KEPT = 8


class RangeFile(io.RawIOBase):
    def __init__(self, storage: Any, name: str, size_bytes: int) -> None:
        self._storage, self._name, self._size = storage, name, size_bytes
        self._at = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:
        number, start = divmod(self._at, BLOCK_BYTES)
        if self._at >= self._size:
            return 0
        data = self._block(number)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            end = min(start + BLOCK_BYTES, self._size)
            data = b"".join(self._storage.read_range(self._name, start, end))
            if len(data) != end - start:
                raise OSError("The stored file is shorter than it was.")
            if len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
        else:
            data = self._blocks.pop(number)
        self._blocks[number] = data  # the last one asked for goes last
        return data


def open_by_ranges(storage: Any, name: str) -> File:
    """For a storage's `_open`. Raises FileNotFoundError at once."""
    return File(io.BufferedReader(RangeFile(storage, name, storage.size(name)), BLOCK_BYTES), name)
