"""What need not be done again for a report that nothing has changed: its file read and hashed, its JSON made.

What it buys: docs/performance.md. A file is known by its inode, size and instants, of which each write here makes new
ones; where a storage has no such files, nothing is kept. An answer is kept under what it is made of: the session's
whole document and the policy. All of it is this process's own, and some megabytes at most.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from os import fstat, stat, stat_result
from typing import Any

import bson
from django.core.files.storage import storages
from orjson import Fragment

from sessions_app.scoring import Policy

KEPT_MAX = 4096

Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Answer:
    document: bytes
    policy: Policy
    file: Identity
    answer: Fragment


_lock = threading.Lock()
_digests: dict[str, tuple[Identity, str]] = {}
_answers: dict[str, _Answer] = {}


def digest_of(name: str) -> str | None:
    """SHA-256 of the stored file; None when there is none."""
    identity, kept = _identity(name), _digests.get(name)
    if kept and kept[0] == identity:
        return kept[1]
    try:
        with storages["reports"].open(name) as file:
            if identity:
                identity = _of(fstat(file.fileno()))  # of what is read, should it be replaced just now
            digest = hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None
    if identity:
        _keep(_digests, name, (identity, digest))
    return digest


def answer_of(name: str, document: Mapping[str, Any], policy: Policy) -> Fragment | None:
    """The JSON that was made of this when the file of that name was current. None: to be made."""
    kept = _answers.get(name)
    is_same = kept is not None and kept.policy == policy and kept.document == _digest(document)
    return kept.answer if is_same and kept.file == _identity(name) else None


def keep_answer(name: str, document: Mapping[str, Any], policy: Policy, answer: Fragment) -> None:
    """The file of that name was found current, by `digest_of`, just before. What depends on the time is not kept."""
    is_watched = document.get("end_time") is None and document.get("heartbeat")
    found = _digests.get(name)
    if found and not is_watched:
        _keep(_answers, name, _Answer(_digest(document), policy, found[0], answer))


def forget(name: str) -> None:
    """Of a session that was deleted."""
    with _lock:
        _digests.pop(name, None)
        _answers.pop(name, None)


def _digest(document: Mapping[str, Any]) -> bytes:
    """In its place: a session's document may be large."""
    return hashlib.sha256(bson.encode(document)).digest()


def _identity(name: str) -> Identity | None:
    """None when there is no such file, or none on a disk of ours."""
    path = storages["reports"].local_path(name)
    try:
        return path and _of(stat(path))
    except OSError:
        return None


def _of(found: stat_result) -> Identity:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _keep(kept: dict[str, Any], name: str, value: Any) -> None:
    with _lock:
        if len(kept) >= KEPT_MAX and name not in kept:
            del kept[next(iter(kept))]  # the oldest
        kept[name] = value
