"""The drawing of a sitting, its events in words, and the list of everything done to it. No queries."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from proctoring_site.desk import timeline
from proctoring_site.desk.review_view import Row
from proctoring_site.desk.sitting import SittingTime
from sessions_app import heartbeat, moments
from sessions_app.models import Event, Session
from sessions_app.review.folding import Seen
from sessions_app.review.models import EntryAction, ReviewEntry


def drawing(
    session: Session, events: Sequence[Seen], rows: Iterable[Row], time: SittingTime, *, ends: float
) -> timeline.Timeline:
    """The timeline; `ends`: the second at which the last recording does."""
    spans = [(event.event_type, timeline.Span(time.seconds(event.at), time.seconds(event.end))) for event in events]
    closed = [time.seconds(session.end_time)] if session.end_time else []
    moved = [time.seconds(move["at"]) for move in session.moves or ()]
    heard_of = [time.seconds(session.last_seen_at)] if session.last_seen_at and not closed else []
    return timeline.draw(
        length_s=max([ends, *closed, *heard_of]),
        events=spans,
        incidents=[(row.mark, timeline.Span(row.at, row.until)) for row in rows],
        gaps=[span for event_type, span in spans if event_type == heartbeat.MISSING],
        milestones=[0.0, *moved, *closed],
        beyond_max_s=moments.BEYOND_MAX_S if closed or heard_of else inf,
    )


@dataclass(frozen=True, slots=True)
class EventLine:
    """`details`: what is known beside time, type and message; `data`: what the client told with it, as JSON."""

    event: Event
    details: tuple[str, ...]
    data: str


def event_line(event: Event) -> EventLine:
    data = json.dumps(event.data, ensure_ascii=False, default=str) if event.data else ""
    return EventLine(event, tuple(_details(event)), data)


def _details(event: Event) -> Iterator[str]:
    if event.duration_s is not None:
        yield f"lasted {event.duration_s} s"
    if event.confidence is not None:
        yield f"confidence {event.confidence}"
    if event.source:
        yield event.source
    if event.clock_skew_ms:
        yield f"clock {abs(event.clock_skew_ms)} ms {'ahead' if event.clock_skew_ms > 0 else 'behind'}"
    yield from (mark.replace("_", " ") for mark in event.marks or ())


@dataclass(frozen=True, slots=True)
class HistoryLine:
    at: datetime
    who: str
    what: str
    reason: str = ""


def history(
    session: Session, entries: Iterable[ReviewEntry] = (), *, asked: bool, time: SittingTime | None = None
) -> list[HistoryLine]:
    """Newest first: the moves of the sitting, what people did to the review, and with `asked` what was asked of the
    client, which tells of what was seen."""
    lines = [_moved(move) for move in session.moves or ()]
    lines += [_asked(command) for command in session.commands or () if asked]
    time = time or SittingTime(session.start_time)
    lines += [HistoryLine(one.at, one.actor_name, _done(one, time), one.reason or "") for one in entries]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _moved(move: Mapping[str, Any]) -> HistoryLine:
    why = " ".join(filter(None, (move["reason_code"], move["reason"])))
    return HistoryLine(
        move["at"], move["actor_name"] or move["actor_kind"], f"{move['from_state']} → {move['to_state']}", why
    )


def _asked(command: Mapping[str, Any]) -> HistoryLine:
    at = command["confirmed_at"]
    told = f"confirmed at {at:%Y-%m-%d %H:%M:%S} UTC" if at else "not confirmed yet"
    words = (
        f"asked the client to {command['action']}" if command["action"] != "message" else "sent the client a message"
    )
    return HistoryLine(command["asked_at"], command["asked_by"], f"{words}, {told}", command["message"] or "")


_WORDS = {
    EntryAction.ASSIGNED: "assigned:",
    EntryAction.SEVERITY: "changed the severity of",
    EntryAction.NOTED: "wrote a note",
    EntryAction.REVOKED: "revoked the allowance of",
    EntryAction.OUTCOME: "decided:",
    EntryAction.DUE: "set the due time:",
    EntryAction.SCORED: "rescored:",
}
#: What a number of an entry is of.
_OF = {
    "policy_version": "policy ",
    "machine_score": "as the machine saw it ",
    "reviewed_score": "as reviewed ",
    "reviewed_band": "band ",
}


def _done(entry: ReviewEntry, time: SittingTime) -> str:
    """What somebody did, without who and when: those have columns of their own."""
    about = entry.about or {}
    words = [_WORDS.get(entry.action, str(entry.action))]
    if about.get("event_type"):
        words.append(about["event_type"])
    if about.get("start"):
        words.append(f"at {moments.said(time.seconds(about['start']))}")
    changed = [name for name in (entry.after or {}) if name != "state"]
    told = []
    for name in changed:
        before, after = (entry.before or {}).get(name), entry.after[name]
        told.append(_OF.get(name, "") + (f"{_told(before)} → {_told(after)}" if before is not None else _told(after)))
    return " ".join([*words, ", ".join(told)]).rstrip()


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return "none" if value is None else str(value).replace("_", " ")
