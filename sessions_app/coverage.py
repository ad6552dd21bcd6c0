"""How much of a sitting was watched: shares of its time, by the client's heartbeats. Pure: asks no database.

A silent client must not read "100, clean". What the beats of a session add up to is kept with it as `heartbeat`:
`covered_ms`, and per signal and detector the time with it on, each up to the last beat.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from proctoring_site.mongo_engine.instants import MILLISECOND, instant_of

SIGNALS = ("camera", "microphone", "screen")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of the sitting, 0 to 1. A signal that the client never spoke of is None: not used."""

    heartbeat: float
    camera: float | None = None
    microphone: float | None = None
    screen: float | None = None
    detectors: Mapping[str, float] = field(default_factory=dict)

    def shares(self) -> Iterator[tuple[str, float]]:
        """Each that was meant to watch, by name."""
        yield "heartbeat", self.heartbeat
        for name in SIGNALS:
            if (share := getattr(self, name)) is not None:
                yield name, share
        yield from self.detectors.items()

    def in_words(self) -> Iterator[str]:
        """For people, who have to see that a client without a camera had none: it counts as watched all the same."""
        for name, share in self.shares():
            yield f"{name} {percent(share)}"
        if self.camera is None:
            yield "no camera"

    @property
    def weakest(self) -> float:
        """The smallest share of all that was meant to watch."""
        return min(share for _, share in self.shares())


def in_words(coverage: Coverage | None) -> str:
    return ", ".join(coverage.in_words()) if coverage else "unknown: this client sends no heartbeats"


def percent(share: float) -> str:
    """Cut, not rounded: what was not watched all through is not 100%, and what is too little is not enough."""
    return f"{int(share * 100 + 1e-6)}%"


def missing_after() -> timedelta:
    return timedelta(seconds=settings.HEARTBEAT_MISSING_AFTER_S)


def beats_of(stored: Any) -> Mapping[str, Any] | None:
    """The sums as `added` leaves them. None: unknown, since there are none, or half of them, or somebody else's."""
    match stored:
        case {
            "first_at": datetime(),
            "last_at": datetime(),
            "beats": int(),
            "clock_skew_ms": int() | None,
            "camera": _,
            "microphone": _,
            "screen": _,
            "detectors": [*_],
            "covered_ms": int(),
            "on_ms": dict(on_ms),
            "detectors_ms": [*detectors_ms],
        } if all(isinstance(ms, int) for ms in on_ms.values()) and all(map(_is_detector, detectors_ms)):
            return stored
    return None


def _is_detector(stored: Any) -> bool:
    match stored:
        case {"name": str(), "on_ms": int()}:
            return True
    return False


def covered_of(document: Mapping[str, Any], *, now: datetime, missing_after: timedelta) -> float | None:
    """The smallest share of all that was meant to watch, by a session's raw document; None: unknown. It is what scores
    go by: the `covered` that is kept in it is of the last beat, and a client that fell silent sends none."""
    heartbeat = beats_of(document.get("heartbeat"))
    if heartbeat is None:
        return None
    known = coverage_of(
        {**heartbeat, "last_at": instant_of(heartbeat["last_at"])},
        start=instant_of(document.get("start_time")),
        end=instant_of(document.get("end_time")),
        now=now,
        missing_after=missing_after,
    )
    return known.weakest if known else None


def coverage_of(
    stored: Mapping[str, Any] | None,
    *,
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    missing_after: timedelta,
) -> Coverage | None:
    """None: unknown, for a client that never sent a heartbeat. While the sitting runs and the client is there, up to
    its last beat; instants are of one kind, all with a zone or all without."""
    heartbeat = beats_of(stored)
    if heartbeat is None or start is None:
        return None
    last_at = heartbeat["last_at"]
    until = end or (last_at if now - last_at <= missing_after else now)
    length_ms = (until - start) / MILLISECOND

    def share(part_ms: float) -> float:
        return 1.0 if length_ms <= 0 else round(min(part_ms / length_ms, 1.0), 4)

    on_ms = heartbeat["on_ms"]
    return Coverage(
        heartbeat=share(heartbeat["covered_ms"]),
        **{name: share(on_ms[name]) for name in SIGNALS if name in on_ms},
        detectors={one["name"]: share(one["on_ms"]) for one in heartbeat["detectors_ms"]},
    )


def added(
    heartbeat: Mapping[str, Any] | None,
    beat: Mapping[str, Any],
    *,
    since: datetime,
    at: datetime,
    missing_after: timedelta,
) -> dict[str, Any]:
    """The sums with one beat more. The time since the last beat counts as covered unless it was a gap, and for what
    was on at both of its ends."""
    before = heartbeat or {"covered_ms": 0, "on_ms": {}, "detectors_ms": [], "beats": 0, "first_at": at}
    passed = max(at - since, timedelta(0))
    gained_ms = round(passed / MILLISECOND) if passed <= missing_after else 0
    was_on = before if heartbeat else beat
    on_ms = dict(before["on_ms"])
    for name in SIGNALS:
        if beat[name] is not None:
            both = beat[name] and was_on[name]
            on_ms[name] = on_ms.get(name, 0) + (gained_ms if both else 0)
    running = {one["name"]: one["on_ms"] for one in before["detectors_ms"]}
    for name in beat["detectors"]:
        if name in running or len(running) < DETECTORS_MAX:
            running[name] = running.get(name, 0) + (gained_ms if name in was_on["detectors"] else 0)
    return {
        "first_at": before["first_at"],
        "last_at": at,
        "beats": before["beats"] + 1,
        "clock_skew_ms": beat["clock_skew_ms"],
        **{name: beat[name] for name in SIGNALS},
        "detectors": list(beat["detectors"]),
        "covered_ms": before["covered_ms"] + gained_ms,
        "on_ms": on_ms,
        "detectors_ms": [{"name": name, "on_ms": ms} for name, ms in running.items()],
    }


#: Different detectors that one session adds up; a client that invents more swells nothing.
DETECTORS_MAX = 20
