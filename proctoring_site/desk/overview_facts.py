"""What the overview counts: of sessions by their own indexes, and of what people judged. Events are never read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from pymongo.collection import Collection

from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app.models import Session
from sessions_app.review.models import JudgedIncident
from sessions_app.review.states import AWAITING_REVIEW_BELOW, DECIDED, SECOND_REVIEW_BELOW, IncidentState, ranks_of
from sessions_app.scoring import BAND_NAMES

DAYS = 30
#: Of each band, the newest sessions that were decided; more would not move the picture.
DECISIONS_MAX = 1000
#: The newest judgements: what detectors did last month matters more than what they did last year.
JUDGEMENTS_MAX = 10_000
DETECTORS_MAX = 15
#: A pair that nobody judged often enough says nothing about its detector.
JUDGED_MIN = 3
#: Upper ends, in hours, and what each part is called.
WAITS: tuple[tuple[float, str], ...] = (
    (1, "under 1 hour"),
    (4, "1 to 4 hours"),
    (24, "4 to 24 hours"),
    (72, "1 to 3 days"),
    (168, "3 to 7 days"),
    (float("inf"), "over 7 days"),
)


@dataclass(frozen=True, slots=True)
class Detector:
    """Judgements of one type by one detector and version; `dismissed` of `judged`."""

    event_type: str
    source: str
    judged: int
    dismissed: int


@dataclass(frozen=True, slots=True)
class Facts:
    """`per_day`: every one of the DAYS, oldest first. `bands`: of the closed sessions that started within them, and
    `undecided`: of those that nobody decided on yet, whenever they started. `waits`: by name, in the order of WAITS."""

    per_day: Mapping[str, int]
    bands: Mapping[str, int]
    undecided: Mapping[str, int]
    second_reviews: int
    waits: Mapping[str, int]
    detectors: tuple[Detector, ...]


def facts_at(at: datetime) -> Facts:
    """Eight queries, whatever there is."""
    first = (at - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    since = naive_utc(first)
    ranks = _by_rank({"queue_rank": {"$gte": 0}, "start_time": {"$gte": since}})
    open_ranks = _by_rank({"queue_rank": {"$gte": 0, "$lt": SECOND_REVIEW_BELOW}})
    return Facts(
        per_day=_per_day(first, since),
        bands={band: sum(ranks[rank] for rank in ranks_of([band])) for band in BAND_NAMES},
        undecided={
            band: sum(open_ranks[rank] for rank in ranks_of([band]) if rank < AWAITING_REVIEW_BELOW)
            for band in BAND_NAMES
        },
        second_reviews=sum(n for rank, n in open_ranks.items() if rank >= AWAITING_REVIEW_BELOW),
        waits=_waits(since),
        detectors=_detectors(),
    )


def _per_day(first: datetime, since: datetime) -> dict[str, int]:
    """Read from the index of starts alone."""
    days = {f"{first + timedelta(days=day):%Y-%m-%d}": 0 for day in range(DAYS)}
    day = {"$dateToString": {"format": "%Y-%m-%d", "date": "$start_time"}}
    pipeline = [
        {"$match": {"start_time": {"$gte": since}}},
        {"$project": {"_id": 0, "start_time": 1}},
        {"$group": {"_id": day, "n": {"$sum": 1}}},
    ]
    found = {row["_id"]: row["n"] for row in _sessions().aggregate(pipeline, session=connection.session)}
    return {name: found.get(name, 0) for name in days}


def _by_rank(match: dict[str, Any]) -> Counter[int]:
    """Read from the queue's index alone."""
    pipeline = [
        {"$match": match},
        {"$project": {"_id": 0, "queue_rank": 1}},
        {"$group": {"_id": "$queue_rank", "n": {"$sum": 1}}},
    ]
    rows = _sessions().aggregate(pipeline, hint="sessions_queue", session=connection.session)
    return Counter({row["_id"]: row["n"] for row in rows})


def _waits(since: datetime) -> dict[str, int]:
    """From the end of a session to its decision."""
    found: Counter[str] = Counter()
    for rank in ranks_of(outcomes=DECIDED):
        pipeline = [
            {"$match": {"queue_rank": rank, "start_time": {"$gte": since}}},
            {"$sort": {"start_time": -1, "_id": -1}},
            {"$limit": DECISIONS_MAX},
            {"$project": {"hours": {"$divide": [{"$subtract": ["$reviewed_at", "$end_time"]}, 3_600_000]}}},
            {"$match": {"hours": {"$type": "number"}}},
            {"$group": {"_id": {"$switch": {"branches": _IN_WORDS, "default": WAITS[-1][1]}}, "n": {"$sum": 1}}},
        ]
        rows = _sessions().aggregate(pipeline, session=connection.session)
        found.update({row["_id"]: row["n"] for row in rows})
    return {name: found[name] for _, name in WAITS}


#: The first that fits.
_IN_WORDS = [{"case": {"$lt": ["$hours", end]}, "then": name} for end, name in WAITS]


def _detectors() -> tuple[Detector, ...]:
    """Of confirmed and dismissed incidents that machines saw: the most dismissed share first."""
    judged = [IncidentState.CONFIRMED.value, IncidentState.DISMISSED.value]
    is_dismissed = {"$cond": [{"$eq": ["$state", IncidentState.DISMISSED.value]}, 1, 0]}
    pipeline = [
        {"$sort": {"at": -1, "_id": -1}},
        {"$limit": JUDGEMENTS_MAX},
        {"$match": {"state": {"$in": judged}, "is_manual": False}},
        {"$unwind": {"path": "$sources", "preserveNullAndEmptyArrays": True}},
        {
            "$group": {
                "_id": {"type": "$event_type", "source": "$sources"},
                "judged": {"$sum": 1},
                "dismissed": {"$sum": is_dismissed},
            }
        },
        {"$match": {"judged": {"$gte": JUDGED_MIN}}},
        {"$addFields": {"share": {"$divide": ["$dismissed", "$judged"]}}},
        {"$sort": {"share": -1, "judged": -1, "_id": 1}},
        {"$limit": DETECTORS_MAX},
    ]
    rows = connection.get_collection(JudgedIncident._meta.db_table).aggregate(pipeline, session=connection.session)
    return tuple(
        Detector(row["_id"]["type"], row["_id"].get("source") or "", row["judged"], row["dismissed"]) for row in rows
    )


def _sessions() -> Collection:
    return connection.get_collection(Session._meta.db_table)
