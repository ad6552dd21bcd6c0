"""What the storages share whose files lie with a server: it takes those that arrive over many requests in parts, none
but the last below a certain size, has no paths of ours, and knows no locks.

The state between two requests is {"offset", "upload", "parts": [[number, size, tag]], "tail": size of the rest}, offset
and sizes in bytes. What is too little for a part waits in a file of its own, so that no byte that was answered for is
lost.
"""

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NoReturn

from django.core.files import File

from media_app.errors import StorageFailed, UploadLost
from media_app.storage.lease import one_at_a_time
from media_app.storage.range_file import BLOCK_BYTES, RangeFile

State = dict[str, Any]


class InParts(ABC):
    #: The drive.
    location: str
    #: What is sent as soon as so much is there, and the least that is sent as a part when no more comes.
    part_bytes: int
    least_part_bytes: int

    # --- What a storage says of its server. Each raises FileNotFoundError for what is not there, else StorageFailed.

    @abstractmethod
    def _begin(self, name: str) -> str:
        """The id of a new upload."""

    @abstractmethod
    def _send_part(self, name: str, upload: str, number: int, data: bytes) -> str:
        """Its tag, which `_join` wants to see again. The same number again replaces the part."""

    @abstractmethod
    def _join(self, name: str, upload: str, parts: list[tuple[int, str]]) -> None: ...

    @abstractmethod
    def _drop(self, name: str, upload: str) -> None: ...

    @abstractmethod
    def _put(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    def _get(self, name: str) -> bytes: ...

    @abstractmethod
    def _names(self, prefix: str) -> Iterable[str]:
        """Of the stored files whose names begin so."""

    # --- What the rest of this app calls.

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself, as on the local disk: ours are made from ids."""
        return name

    def _open(self, name: str, mode: str = "rb") -> File:
        """By ranges: django-storages would hold the whole of it in memory."""
        return File(io.BufferedReader(RangeFile(self, name, self.size(name)), BLOCK_BYTES), name)

    def local_path(self, name: str) -> Path | None:
        return None

    def one_at_a_time(self, key: str, *, among: str = "") -> AbstractContextManager[None]:
        return one_at_a_time(f"{self.location}/{among}{key}")

    def start_parts(self, name: str) -> State:
        return {"offset": 0, "upload": self._begin(name), "parts": [], "tail": 0}

    def append(self, name: str, state: State, chunks: Iterable[bytes]) -> Iterator[State]:
        held = bytearray(self._tail(name, state))
        before = state
        for chunk in chunks:
            held += chunk
            while len(held) >= self.part_bytes:
                state = self._with_part(name, state, take(held, self.part_bytes))
                yield state
                self._drop_tail(name, before)
                before = state
        whole = state["offset"] - state["tail"]
        if whole + len(held) == state["offset"]:
            return
        if len(held) >= self.least_part_bytes:
            state = self._with_part(name, state, bytes(held))
        else:
            self._put(_tail_name(name, whole + len(held)), bytes(held))
            state = {**state, "offset": whole + len(held), "tail": len(held)}
        yield state
        self._drop_tail(name, before)

    def finish_parts(self, name: str, state: State) -> None:
        """Whole afterwards, also when it was before. Raises UploadLost when neither is so."""
        try:
            self._complete(name, state)
        except FileNotFoundError:  # no such upload any more: an earlier call finished it
            if not self._is_whole(name, state):
                raise UploadLost from None
        self._drop_all_tails(name)

    def abort_parts(self, name: str, state: State) -> None:
        with suppress(FileNotFoundError):
            self._drop(name, state["upload"])
        self._drop_all_tails(name)

    def _complete(self, name: str, state: State) -> None:
        if tail := self._tail(name, state):
            state = self._with_part(name, state, tail)
        if state["parts"]:
            self._join(name, state["upload"], [(number, tag) for number, _, tag in state["parts"]])
        else:  # no server knows an upload without parts
            self._drop(name, state["upload"])
            self._put(name, b"")

    def _is_whole(self, name: str, state: State) -> bool:
        try:
            return self.size(name) == state["offset"]
        except FileNotFoundError:
            return False

    def _with_part(self, name: str, state: State, data: bytes) -> State:
        number = len(state["parts"]) + 1
        tag = self._send_part(name, state["upload"], number, data)
        parts = [*state["parts"], [number, len(data), tag]]
        return {**state, "offset": sum(size for _, size, _ in parts), "parts": parts, "tail": 0}

    def _tail(self, name: str, state: State) -> bytes:
        return self._get(_tail_name(name, state["offset"])) if state["tail"] else b""

    def _drop_tail(self, name: str, state: State) -> None:
        if state["tail"]:
            self.delete(_tail_name(name, state["offset"]))

    def _drop_all_tails(self, name: str) -> None:
        """Also those of servers that were killed before anybody wrote down what they had stored."""
        for tail in list(self._names(_tail_name(name, ""))):
            if is_tail(tail):
                self.delete(tail)


def take(held: bytearray, length: int) -> bytes:
    """The first bytes, which are gone from `held` then; copied once."""
    with memoryview(held) as view:
        taken = bytes(view[:length])
    del held[:length]
    return taken


def within(chunks: Iterable[bytes], skipped: int, length: int) -> Iterator[bytes]:
    """So many bytes behind those that are skipped; no further chunk is asked for."""
    for chunk in chunks:
        wanted = chunk[skipped : skipped + length]
        skipped = max(0, skipped - len(chunk))
        length -= len(wanted)
        if wanted:
            yield wanted
        if not length:
            return


def fail(why: str) -> NoReturn:
    raise StorageFailed(f"The storage of videos and reports failed ({why}).") from None


def is_tail(name: str) -> bool:
    """Whether a stored file is the rest of an upload that still arrives."""
    return tail_of(name) is not None


def tail_of(name: str) -> str | None:
    """The name under which that upload will be stored; None for a file that is no rest."""
    found = re.fullmatch(r"(.+)\.tail\.[0-9]+", name, re.DOTALL)
    return found[1] if found else None


def _tail_name(name: str, offset: int | str) -> str:
    """One name per state: the one before stays readable until the next was written down."""
    return f"{name}.tail.{offset}"
