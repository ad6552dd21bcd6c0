"""What is known of sessions, as stored, in the shape that weighing.py takes. Three trips for any number of sessions.

Raw documents: adopted ones may hold anything in any field, and a model per event costs more than all the weighing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from proctoring_site.mongo_engine.documents import TOGETHER
from proctoring_site.mongo_engine.instants import instant_of
from sessions_app.coverage import covered_of, missing_after
from sessions_app.models import now
from sessions_app.review.folding import Seen
from sessions_app.review.models import Allowance, JudgedIncident
from sessions_app.review.states import DECIDED, IncidentState, Outcome, Severity, outcome_of
from sessions_app.review.weighing import Judgement

#: For the scores alone; a page shows the rest, too.
_WEIGHED = ("session_id", "event_type", "occurred_at", "timestamp", "duration_s")
_SHOWN = (*_WEIGHED, "confidence", "source", "received_at")
SESSION_FIELDS = (
    "start_time",
    "end_time",
    "heartbeat",
    "revision",
    "review_revision",
    "review_outcome",
    "reviewed_at",
    "policy_version",
)
SCORED_FIELDS = ("machine_score", "reviewed_score", "reviewed_band", "scored_at", "scored_revision", "queue_rank")
SCORED_FIELDS += ("incident_count", "open_incidents", "confirmed_incidents", "new_incidents", "covered")


@dataclass(slots=True)
class Facts:
    """Of one session; `document` has SESSION_FIELDS and SCORED_FIELDS."""

    document: dict[str, Any]
    #: When it was read.
    at: datetime
    events: list[Seen] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    #: Exempt event types and why.
    allowed: dict[str, str] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        return instant_of(self.document.get("end_time")) is not None

    @property
    def revision(self) -> int:
        """Of the review."""
        return self.document.get("review_revision") or 0

    @property
    def version(self) -> int | None:
        """Of the policy that it was scored with."""
        return self.document.get("policy_version")

    @property
    def decided_at(self) -> datetime | None:
        return instant_of(self.document.get("reviewed_at")) if self.outcome in DECIDED else None

    @property
    def is_stale(self) -> bool:
        """Whether its stored scores are of something else than what is there now."""
        return self.is_closed and self.document.get("scored_revision") != self.document.get("revision")

    @property
    def covered(self) -> float | None:
        """As of now while the session is open: nobody writes down that a client is silent."""
        return covered_of(self.document, now=self.at, missing_after=missing_after())

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.document.get("review_outcome"))


def facts_of(session_ids: Sequence[str], *, shown: bool = False) -> dict[str, Facts]:
    """By id; what is not there is missing. `shown`: with what a page tells of an event, and the scores do not need.

    The session is read first: what comes later raises its revision, and a score of it is then not stored.
    """
    wanted = dict.fromkeys((*SESSION_FIELDS, *SCORED_FIELDS), 1)
    found = _rows("sessions", {"_id": {"$in": list(session_ids)}}, wanted)
    at = now()
    facts = {document["_id"]: Facts(document, at) for document in found}
    if not facts:
        return facts
    tells_late_ones = any(one.decided_at for one in facts.values())  # those that came after the decision
    fields = _SHOWN if shown else (*_WEIGHED, "received_at") if tells_late_ones else _WEIGHED
    for event in _rows("events", _of(facts), dict.fromkeys(fields, 1)):
        of_session = facts.get(event["session_id"]) if isinstance(event["session_id"], str) else None
        if of_session is not None:
            of_session.events.append(seen(event))
    if touched := [pk for pk, one in facts.items() if one.document.get("review_revision")]:
        _add_words(facts, touched)
    return facts


def _add_words(facts: dict[str, Facts], session_ids: Sequence[str]) -> None:
    for row in _rows(JudgedIncident._meta.db_table, _of(session_ids)):
        facts[row["session_id"]].judgements.append(_judgement(row))
    for row in _rows(Allowance._meta.db_table, _of(session_ids)):
        if not row["is_revoked"]:
            facts[row["session_id"]].allowed[row["event_type"]] = row["reason"]
    for pk in session_ids:  # a judgement made earlier has its events first
        facts[pk].judgements.sort(key=lambda judgement: (judgement.at, judgement.id))


def seen(event: dict[str, Any]) -> Seen:
    """An event document as folding takes it; what is no text, number or instant in an adopted one is left out."""
    get = event.get
    event_type, source = get("event_type"), get("source")
    return Seen(
        id=str(event["_id"]),
        event_type="" if event_type is None else str(event_type),
        at=instant_of(get("occurred_at")) or instant_of(get("timestamp")),
        duration_s=_number(get("duration_s")),
        confidence=_number(get("confidence")),
        source=source if isinstance(source, str) else None,
        received_at=instant_of(get("received_at")),
    )


def _judgement(row: dict[str, Any]) -> Judgement:
    return Judgement(
        id=row["_id"],
        event_type=row["event_type"],
        state=IncidentState(row["state"]),
        severity=Severity(row["severity"]),
        by=row["by"],
        at=instant_of(row["at"]),
        start=instant_of(row["start"]),
        end=instant_of(row["end"]),
        event_ids=tuple(row["event_ids"]),
        reason=row["reason"],
        is_manual=row["is_manual"],
    )


def _rows(collection: str, where: dict[str, Any], fields: dict[str, int] | None = None) -> Iterable[dict[str, Any]]:
    rows = connection.get_collection(collection)
    return rows.find(where, fields, batch_size=TOGETHER, session=connection.session)


def _of(session_ids: Iterable[str]) -> dict[str, Any]:
    ids = list(session_ids)
    return {"session_id": ids[0] if len(ids) == 1 else {"$in": ids}}


def _number(value: Any) -> float | None:
    return value if type(value) in (float, int) and value == value else None
