"""What must hold of sessions and events, in as few words as possible: the property test's other side. No database."""

from dataclasses import dataclass, field
from typing import Any

WEIGHTS = {"focus_lost": 2, "phone_detected": 15}
#: An event this much off by our clock is marked; the product tolerates 5 s.
TOLERANCE_S = 5
CLOSED = {"ended", "terminated", "expired"}
MOVES = {
    ("running", "pause"): "paused",
    ("paused", "resume"): "running",
    ("running", "terminate"): "terminated",
    ("paused", "terminate"): "terminated",
    ("running", "end"): "ended",
    ("paused", "end"): "ended",
    ("ended", "end"): "ended",
}


@dataclass(frozen=True)
class Told:
    """What a client says. `offset_s`: when it happened, from the session's start by the client's clock; None: now."""

    event_type: str
    message: str = ""
    offset_s: int | None = None
    is_naive: bool = False


@dataclass
class Sitting:
    state: str = "running"
    is_over: bool = False  # the time for late events, too
    moves: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # not confirmed yet
    events: dict[str, "Kept"] = field(default_factory=dict)

    @property
    def may_be_started_again(self) -> bool:
        return self.state not in CLOSED

    def act(self, action: str) -> int:
        to = MOVES.get((self.state, action))
        if to is None:
            return 409
        if to != self.state:
            self.moves.append((self.state, to))
            self.commands += [] if action == "end" else [action]
        self.state = to
        return 200

    def marks_of(self, told: Told, *, ahead_s: int) -> set[str]:
        marks = {"naive"} if told.is_naive and told.offset_s is not None else set()
        if self.state in CLOSED:
            marks.add("late")
        if told.offset_s is not None and told.offset_s - ahead_s > TOLERANCE_S:
            marks.add("future")
        if told.offset_s is not None and told.offset_s - ahead_s < -TOLERANCE_S:
            marks.add("before_start")
        return marks

    @property
    def counts(self) -> dict[str, int]:
        types = [kept.told.event_type for kept in self.events.values()]
        return {name: types.count(name) for name in set(types)}

    @property
    def integrity_score(self) -> int:
        return max(0, 100 - sum(WEIGHTS.get(name, 0) * n for name, n in self.counts.items()))


@dataclass
class Kept:
    """A stored event. `answer` None: created in a batch, whose answer does not show it."""

    told: Told
    marks: set[str]
    answer: dict[str, Any] | None = None


@dataclass
class World:
    sittings: list[Sitting] = field(default_factory=list)

    def log(self, sitting: Sitting, event_id: str | None, told: Told, *, is_clients: bool) -> str:
        """created, duplicate, session_closed or event_id_conflict. The caller keeps what was created."""
        known = "session_closed" if sitting.is_over else "event_id_conflict"
        for other in self.sittings:
            if event_id in other.events:
                same = other is sitting and other.events[event_id].told == told and is_clients
                return "duplicate" if same else known
        return "session_closed" if sitting.is_over else "created"
