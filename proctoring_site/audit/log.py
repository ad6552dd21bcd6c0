"""Writing the audit log. Call `record` *before* what it records: when it raises, that must not happen.

So a record may speak of something that then failed, and never is anything done without its record.
"""

from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError

from proctoring_site.audit.actors import current_actor, current_address
from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind
from proctoring_site.log_lines import request_id


def record(
    action: Action,
    object_kind: ObjectKind | str = "",
    object_id: str = "",
    *,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    **details: Any,
) -> None:
    """One record of the current actor, durable when this returns. `changes`: field → (old, new). Raises AuditFailed."""
    actor = current_actor()
    try:
        AuditRecord.objects.create(
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            object_kind=object_kind,
            object_id=str(object_id)[:255],
            address=current_address(),
            request_id=request_id.get() or "",
            changes={field: list(pair) for field, pair in (changes or {}).items()},
            details=details,
        )
    except DatabaseError as error:
        raise AuditFailed from error
