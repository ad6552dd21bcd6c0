"""How a session gets from one state to another: as a claim, so that of two who move it at once only one does.

Raw documents: state, history and what staff ask of the client change in one update of one document, which is atomic
on every kind of server; the ORM has no word for adding to a list.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from pymongo.collection import Collection

from proctoring_site.audit.actors import current_actor
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.instants import instant_of
from sessions_app import counters
from sessions_app.errors import IllegalMove, MovedMeanwhile, NobodyThere, SessionNotFound, TooManyCommands
from sessions_app.ids import new_id
from sessions_app.models import Session, now, to_milliseconds
from sessions_app.states import ALLOWED, OPEN, State, state_of

logger = logging.getLogger(__name__)

#: Others that move the same session at the same moment are few; each time one of them got somewhere.
TRIES = 10
#: What staff may ask of one client in one sitting; more would swell the session.
COMMANDS_MAX = 200
ASKS = {State.PAUSED: "pause", State.RUNNING: "resume", State.TERMINATED: "terminate"}


def move(
    session: Session,
    to: State,
    *,
    at: datetime | None = None,
    end_time: datetime | None = None,
    reason_code: str | None = None,
    reason: str | None = None,
    only_if: Mapping[str, Any] | None = None,
) -> bool:
    """Move a session; the instance is fresh afterwards. `end_time` when it is another than `at`, for closing moves.

    `only_if`: what must still be so in the document; False when it is not, and nothing was changed then. Raises
    IllegalMove, also when somebody else was quicker, MovedMeanwhile when TRIES others were, and SessionNotFound.
    """
    at = to_milliseconds(at or now())
    recorded: State | None = None
    for _ in range(TRIES):
        stored = _look(session.pk)
        state = _state(stored)
        if to not in ALLOWED[state]:
            raise IllegalMove(state, to)
        if only_if and any(stored.get(name) != value for name, value in only_if.items()):
            return False
        if state is not recorded:
            _record(session.pk, state, to, reason_code)
            recorded = state
        changes: dict[str, Any] = {"status": to.value, "revision": counters.NEXT_REVISION}
        changes["moves"] = _and_one_more("moves", _move_document(state, to, at, reason_code, reason))
        if to in ASKS:
            changes["commands"] = _and_one_more("commands", _command_document(ASKS[to], at, reason, reason_code))
        if to not in OPEN:
            changes |= {"end_time": to_milliseconds(end_time or at), "unsettled": True}
        still = {"_id": session.pk, "status": stored.get("status"), "end_time": stored.get("end_time")}
        claim = _sessions().update_one({**still, **(only_if or {})}, [{"$set": changes}], session=connection.session)
        if claim.matched_count:
            logger.info("session %s: %s, was %s", session.pk, to.value, state.value)
            session.refresh()
            return True
    raise MovedMeanwhile


def ask(session: Session, *, message: str) -> None:
    """Have the client show a message. Raises NobodyThere once the session is closed, and TooManyCommands."""
    stored = _look(session.pk)
    if _state(stored) not in OPEN:
        raise NobodyThere(_state(stored))
    record(Action.CHANGED, ObjectKind.SESSION, session.pk, command="message")
    command = _and_one_more("commands", _command_document("message", now(), message, None))
    few = {"$lt": [{"$size": {"$ifNull": ["$commands", []]}}, COMMANDS_MAX]}
    asked = _sessions().update_one(
        {"_id": session.pk, "end_time": None, "$expr": few},
        [{"$set": {"commands": command, "revision": counters.NEXT_REVISION}}],
        session=connection.session,
    )
    session.refresh()
    if not asked.matched_count:
        if session.state in OPEN:
            raise TooManyCommands
        raise NobodyThere(session.state)


def _record(session_id: str, state: State, to: State, reason_code: str | None) -> None:
    record(
        Action.ENDED if to is State.ENDED else Action.CHANGED,
        ObjectKind.SESSION,
        session_id,
        changes={"state": (state, to)},
        **({"reason_code": reason_code} if reason_code else {}),
    )


def _move_document(state: State, to: State, at: datetime, code: str | None, reason: str | None) -> dict[str, Any]:
    actor = current_actor()
    by = {"actor_kind": str(actor.kind), "actor_id": actor.id, "actor_name": actor.name}
    return {"at": at, "from_state": state.value, "to_state": to.value, **by, "reason_code": code, "reason": reason}


def _command_document(action: str, at: datetime, message: str | None, code: str | None) -> dict[str, Any]:
    asked = {"id": new_id(), "action": action, "message": message, "reason_code": code, "asked_at": at}
    return {**asked, "asked_by": current_actor().name, "confirmed_at": None}


def _and_one_more(field: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Literally: a reason that begins with a dollar sign is no expression."""
    return {"$concatArrays": [{"$ifNull": [f"${field}", []]}, [{"$literal": document}]]}


def _state(stored: Mapping[str, Any]) -> State:
    return state_of(stored.get("status"), is_closed=instant_of(stored.get("end_time")) is not None)


def _look(session_id: str) -> dict[str, Any]:
    fields = {"status": 1, "end_time": 1, "last_seen_at": 1}
    stored = _sessions().find_one({"_id": session_id}, fields, session=connection.session)
    if stored is None:
        raise SessionNotFound
    return stored


def _sessions() -> Collection:
    return connection.get_collection("sessions")
