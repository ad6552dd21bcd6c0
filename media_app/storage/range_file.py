"""A stored file, wherever it lies, as a file that can be sought in: a block is asked for when it is needed.

Who reads on from block to block is sent the rest in one answer, for each request to a storage takes its time.
"""

import io
from collections.abc import Iterator
from typing import Any

from media_app.errors import StorageFailed

BLOCK_BYTES = 1024**2
#: A demuxer goes to and fro between a few places: the index, the pictures, the sound.
BLOCKS_KEPT = 8


class RangeFile(io.RawIOBase):
    def __init__(self, storage: Any, name: str, size_bytes: int) -> None:
        self._storage, self._name, self._size = storage, name, size_bytes
        self._at = 0
        self._blocks: dict[int, bytes] = {}
        #: The block after the last one that was fetched, and the answer that it is in, if one goes on.
        self._next = -1
        self._rest: Iterator[bytes] | None = None
        self._ahead = bytearray()

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
            data = self._fetch(number)
            if len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
        else:
            data = self._blocks.pop(number)
        self._blocks[number] = data  # the last one asked for goes last
        return data

    def _fetch(self, number: int) -> bytes:
        start = number * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self._size)
        data = self._read_on(number, start, end - start)
        if data is None:
            data = b"".join(self._storage.read_range(self._name, start, end))
        if len(data) != end - start:
            raise OSError("The stored file is shorter than it was.")
        self._next = number + 1
        return data

    def _read_on(self, number: int, start: int, length: int) -> bytes | None:
        """The block from an answer that goes on; None when it does not follow, or the connection did not last."""
        if number != self._next:
            self._let_go()
            return None
        try:
            if self._rest is None:
                self._rest = self._storage.read_range(self._name, start, self._size)
            while len(self._ahead) < length:
                self._ahead += next(self._rest)
        except (StorageFailed, OSError, StopIteration):
            self._let_go()
            return None
        data = bytes(self._ahead[:length])
        del self._ahead[:length]
        return data

    def _let_go(self) -> None:
        if close := getattr(self._rest, "close", None):
            close()
        self._rest = None
        self._ahead.clear()

    def close(self) -> None:
        self._let_go()
        super().close()
