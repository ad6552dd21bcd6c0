"""What comes as many requests and is one thing: a player asks for a video piece by piece, a client beats."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from pymongo.errors import PyMongoError

from proctoring_site.audit.actors import current_actor, current_address
from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind
from proctoring_site.mongo_engine.documents import as_majority_has
from proctoring_site.mongo_engine.instants import naive_utc

#: From its record on. Whoever goes on for longer leaves the next record, so that the log also tells how long.
LOOK_S = 600
#: Said, since the planner knows no better than by trying: of these minutes there are many records, of one session few.
INDEX = "audit_object"


def record_look(object_kind: ObjectKind, object_id: str, **details: Any) -> None:
    """One record of this actor's look from this address, before anything is shown; none when the last LOOK_S have it.
    Raises AuditFailed."""
    record_once(Action.LOOKED, object_kind, object_id, **details)


def record_once(action: Action, object_kind: ObjectKind, object_id: str, **details: Any) -> None:
    """The same of whatever else this actor does again and again, before it is done.

    Two requests at the same moment may both write: too many records, never too few. Raises AuditFailed.
    """
    try:
        is_known = _is_recorded(same_act(action, object_kind, object_id, details))
    except PyMongoError as error:
        raise AuditFailed from error
    if not is_known:
        record(action, object_kind, object_id, **details)


def same_act(action: Action, object_kind: ObjectKind, object_id: str, details: dict[str, Any]) -> dict[str, Any]:
    """Which records would do, for MongoDB."""
    actor = current_actor()
    return {
        "object_id": str(object_id)[:255],
        "at": {"$gte": naive_utc(timezone.now() - timedelta(seconds=LOOK_S))},
        "action": str(action),
        "object_kind": str(object_kind),
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "address": current_address(),
        "details": details,
    }


def _is_recorded(wanted: dict[str, Any]) -> bool:
    """Durably, so that no failover takes it back."""
    log = as_majority_has(AuditRecord._meta.db_table)
    return log.find_one(wanted, {"_id": 1}, hint=INDEX, session=connection.session) is not None
