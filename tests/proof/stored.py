"""What clients know for certain, held against what the database has."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from pymongo.database import Database

from sessions_app import counters
from tests.patient_client import Ledger

#: What a client tells and the database must have as it was told.
TOLD = ("session_id", "event_type", "sequence", "message", "data")
#: What every stored event has besides.
COMPLETE = {"_id", "timestamp", "occurred_at", "received_at", "digest", *TOLD}


@dataclass(frozen=True)
class Comparison:
    """All but the first two should be 0."""

    acknowledged: int
    stored: int
    lost: int  # acknowledged and not there
    doubled: int  # there under another id as well
    unknown: int  # there and never sent
    altered: int  # there, with another content or not whole
    miscounted: int  # sessions whose counts are not those of their events

    @property
    def faults(self) -> dict[str, int]:
        return {name: n for name, n in asdict(self).items() if n and name not in {"acknowledged", "stored"}}


def compare(database: Database, ledger: Ledger) -> Comparison:
    stored = {document["_id"]: document for document in database["events"].find()}
    twins = Counter((document["session_id"], document["sequence"]) for document in stored.values())
    return Comparison(
        acknowledged=len(ledger.acknowledged),
        stored=len(stored),
        lost=len(ledger.acknowledged - stored.keys()),
        doubled=sum(n - 1 for n in twins.values()),
        unknown=len(stored.keys() - ledger.sent.keys()),
        altered=sum(not is_whole(document, ledger.sent.get(pk, {})) for pk, document in stored.items()),
        miscounted=sum(counts_of(session) != real for session, real in _with_real_counts(database, stored)),
    )


def starts_recorded(database: Database) -> list[str]:
    """The sessions that the audit log says were started."""
    records = database["audit_log"].find({"action": "created", "object_kind": "session"}, {"object_id": 1})
    return sorted(record["object_id"] for record in records)


def too_low(database: Database) -> int:
    """Sessions that count fewer events than they have: before the end, only where a killed server took a count back."""
    stored = {document["_id"]: document for document in database["events"].find()}
    pairs = [(counts_of(session), real) for session, real in _with_real_counts(database, stored)]
    return sum(any(counts.get(name, 0) < n for name, n in real.items()) for counts, real in pairs)


def is_whole(document: dict[str, Any], told: dict[str, Any]) -> bool:
    return document.keys() >= COMPLETE and all(document[name] == told.get(name) for name in TOLD)


def counts_of(session: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in counters.by_type(session["event_counts"]).items() if n}


def _with_real_counts(database: Database, stored: dict[str, dict]) -> list[tuple[dict[str, Any], dict[str, int]]]:
    real: dict[str, Counter[str]] = {}
    for document in stored.values():
        real.setdefault(document["session_id"], Counter())[document["event_type"]] += 1
    return [(session, dict(real.get(session["_id"], {}))) for session in database["sessions"].find()]
