"""Writing the audit log. Call `record` *before* what it records: when it raises, that must not happen.

So a record may speak of something that then failed, and never is anything done without its record.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.utils import timezone
from pymongo.errors import PyMongoError

from proctoring_site.audit.actors import current_actor, current_address
from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind
from proctoring_site.audit.recorded_insert import RecordedInsert
from proctoring_site.log_lines import request_id
from proctoring_site.mongo_engine.group_insert import GroupInsert


def record(
    action: Action,
    object_kind: ObjectKind | str = "",
    object_id: str = "",
    *,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    encoded: RawBSONDocument | None = None,
    **details: Any,
) -> None:
    """One record of the current actor, durable when this returns. `changes`: field → (old, new). `encoded`: the details
    as BSON, of who has them already. Raises AuditFailed.

    As a document, and in one commit with the others that wait: a record goes before nearly every answer.
    """
    with _told_as_failed():
        _log.insert(_record(action, object_kind, object_id, changes, details if encoded is None else encoded))


@contextmanager
def recording(action: Action, object_kind: ObjectKind, object_id: str, **details: Any) -> Iterator[None]:
    """As `record`, durable when the block has ended well: for a block that only reads what is shown after it."""
    with _told_as_failed():
        begun = _log.begin(_record(action, object_kind, object_id, None, details))
    yield
    with _told_as_failed():
        _log.finish(begun)


@contextmanager
def _told_as_failed() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise AuditFailed from error


def record_and_insert(
    inserts: RecordedInsert,
    document: dict[str, Any],
    action: Action,
    object_kind: ObjectKind,
    *,
    may_be_again: bool = False,
    **details: Any,
) -> bool:
    """Store a new document, with its record before it; both are durable when this returns. Raises AuditFailed.

    `may_be_again`: this may be done already, or just now by somebody else. Then there is one record of it, whoever
    writes it, and False says that the document is still to be looked for, and stored if it is not there.
    """
    record = _record(action, object_kind, document["_id"], None, details)
    if not may_be_again:
        inserts.insert(record, document)
        return True
    return inserts.insert_once({"_id": _id_of(action, object_kind, document["_id"]), **record}, document)


def _id_of(*told: str) -> ObjectId:
    return ObjectId(hashlib.blake2b(" ".join(map(str, told)).encode(), digest_size=12).digest())


def _record(
    action: Action,
    object_kind: ObjectKind | str,
    object_id: str,
    changes: Mapping[str, tuple[Any, Any]] | None,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    actor = current_actor()
    return {
        "at": timezone.now(),
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_name": actor.name,
        "action": str(action),
        "object_kind": str(object_kind),
        "object_id": str(object_id)[:255],
        "address": current_address(),
        "request_id": request_id.get() or "",
        "changes": {field: list(pair) for field, pair in (changes or {}).items()},
        "details": details,
    }


_log = GroupInsert(AuditRecord._meta.db_table)
