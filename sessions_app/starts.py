"""A start that is sent again, since its answer was lost, opens no second session: its key says which one it is.

The session's id is made of the key (ids.py), so the index of ids, which every session has, is all that keeps it from
being opened twice, and nothing is stored of the key. Why so: docs/decisions/2026-11-27-starts-sent-again.md.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from pymongo.errors import DuplicateKeyError

from proctoring_site.audit.models import Action, AuditRecord
from proctoring_site.mongo_engine.documents import as_majority_has
from proctoring_site.mongo_engine.group_commit import Document
from proctoring_site.mongo_engine.instants import instant_of
from sessions_app.errors import MovedMeanwhile, StartKeyConflict

logger = logging.getLogger(__name__)

#: Longer than somebody tries to begin one exam, shorter than the next one in the same browser is far.
GOOD_FOR = timedelta(hours=1)


def opened_once(new: Document, *, at: datetime) -> Document:
    """The session as it is stored, by this start or by the one before it. For a `new` one whose record is durable.

    Raises StartKeyConflict, MovedMeanwhile.
    """
    stored = _stored(new["_id"])
    if stored is None:
        _demand_never_opened(new["_id"], at=at)
        with suppress(DuplicateKeyError):  # somebody else who sends the same was quicker
            connection.get_collection("sessions").insert_one(new, session=connection.session)
            logger.info("session %s started", new["_id"])
            return new
        stored = _stored(new["_id"])
    if stored is None:
        raise MovedMeanwhile
    began, is_open = instant_of(stored.get("start_time")), stored.get("end_time") is None
    if not is_open or stored.get("candidate_name") != new["candidate_name"] or not began or began < at - GOOD_FOR:
        raise StartKeyConflict
    logger.info("session %s: its start was sent again", new["_id"])
    return stored


def _stored(pk: str) -> Document | None:
    """Once a majority has it: only then may it be answered with."""
    return as_majority_has("sessions").find_one({"_id": pk}, session=connection.session)


def _demand_never_opened(pk: str, *, at: datetime) -> None:
    """It has a record, of a try that got no further, unless it was deleted since. What was tried long ago is recorded
    under another day than it would begin on."""
    is_over = Q(action=Action.DELETED) | Q(at__lt=at - GOOD_FOR)
    if AuditRecord.objects.filter(is_over, object_id=pk).exists():
        raise StartKeyConflict
