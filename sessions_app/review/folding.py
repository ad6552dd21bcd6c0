"""Events become incidents: those of one type that lie close together, by their time and nothing else. Pure.

The result is the same whatever the order in which the events came, and each event is in exactly one incident.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

#: Longer than any sitting; an adopted document may hold whatever number as a duration.
LONGEST = timedelta(days=7)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as far as folding asks. `at` None: nobody knows when; instants are of one kind, all with a zone."""

    id: str
    event_type: str
    at: datetime | None
    duration_s: float | None = None
    confidence: float | None = None
    source: str | None = None
    received_at: datetime | None = None

    @property
    def end(self) -> datetime | None:
        if self.at is None or not self.duration_s or self.duration_s < 0:
            return self.at
        try:
            return self.at + min(timedelta(seconds=self.duration_s), LONGEST)
        except OverflowError:  # beyond what Python or the calendar can say
            return self.at


@dataclass(frozen=True)
class Folded:
    """Events of one type that a person judges as one, in the timeline's order."""

    event_type: str
    events: tuple[Seen, ...]

    @property
    def start(self) -> datetime | None:
        return self.events[0].at

    @cached_property
    def end(self) -> datetime | None:
        """When the last of them was over."""
        return max((event.end for event in self.events if event.end), default=None)

    @property
    def count(self) -> int:
        return len(self.events)

    @property
    def event_ids(self) -> tuple[str, ...]:
        return tuple(event.id for event in self.events)

    @cached_property
    def length_s(self) -> float | None:
        """None: unknown, for a single event that did not say how long it was."""
        if self.start is None or (self.count == 1 and self.events[0].duration_s is None):
            return None
        return (self.end - self.start).total_seconds()

    @property
    def peak_confidence(self) -> float | None:
        return max((event.confidence for event in self.events if event.confidence is not None), default=None)

    @property
    def sources(self) -> tuple[str, ...]:
        """The detectors, with their versions, each once."""
        return tuple(sorted({event.source for event in self.events if event.source}))

    @cached_property
    def key(self) -> str:
        return key_of(self.event_type, self.event_ids)


def key_of(event_type: str, event_ids: Iterable[str]) -> str:
    """What names just these events, no more and no fewer."""
    told = "\n".join([event_type, *sorted(event_ids)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def fold(events: Iterable[Seen], *, gap_s: float) -> list[Folded]:
    """Incidents in the timeline's order. Events whose time nobody knows are one incident per type, before others."""
    by_type: dict[str, list[Seen]] = {}
    for event in sorted(events, key=timeline_order):
        by_type.setdefault(event.event_type, []).append(event)
    gap = timedelta(seconds=gap_s)
    folded = [
        Folded(event_type, tuple(run)) for event_type, of_type in by_type.items() for run in _runs(of_type, gap=gap)
    ]
    return sorted(folded, key=lambda incident: (incident.start or LONG_AGO, incident.event_type, incident.event_ids[0]))


def _runs(events: Sequence[Seen], *, gap: timedelta) -> Iterable[list[Seen]]:
    """Events of one type in order, cut where nothing was seen for longer than `gap`."""
    run: list[Seen] = []
    end: datetime | None = None
    for event in events:
        if run and (event.at is None) is (end is None) and (end is None or event.at - end <= gap):
            run.append(event)
            end = max(end, event.end) if end else None
        else:
            if run:
                yield run
            run, end = [event], event.end
    if run:
        yield run


def timeline_order(event: Seen) -> tuple[datetime, str]:
    return event.at or LONG_AGO, event.id
