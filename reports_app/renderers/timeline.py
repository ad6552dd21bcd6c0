"""When did what happen: the events of a session as lanes of marks, one lane per type, ready for an inline SVG."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reports_app.builder import EventFact, Report
from sessions_app.moments import BEYOND_MAX_S, said

WIDTH = 1000
LABEL_WIDTH = 180
RIGHT_MARGIN = 30  # half of the last tick's label
LANE_HEIGHT = 26
MARK_HEIGHT = 16
AXIS_HEIGHT = 26
TICKS = 5
SPAN_MIN_S = float(TICKS)  # a second per tick; less would repeat its labels
#: Rarer types share the last lane, so that a client with a hundred types does not make the page unreadable.
LANES_MAX = 12
FURTHER_TYPES = "further types"
BEYOND_MAX = timedelta(seconds=BEYOND_MAX_S)


@dataclass(frozen=True, slots=True)
class Lane:
    """One type: its label, where the lane lies, all its marks as one SVG path, and what lasted as another."""

    event_type: str
    count: int
    is_weighed: bool
    y: int
    path: str
    spans: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    height: int
    width: int = WIDTH
    label_width: int = LABEL_WIDTH


def draw(report: Report, events: Sequence[EventFact], *, weighed: Collection[str]) -> Timeline | None:
    """None when there is nothing to draw. The axis runs from the start (or first event) to the end (or last), and its
    clock from the start, if that is known: what came before has a minus."""
    at: dict[str, list[EventFact]] = defaultdict(list)
    for event in events:
        if event.at is not None:
            at[event.event_type].append(event)
    if not at:
        return None
    first, length_s = _span(report, [event.at for lane in at.values() for event in lane])

    def x(moment: datetime) -> float:
        return _x((moment - first).total_seconds() / length_s)

    lanes = tuple(
        Lane(
            event_type=name,
            count=len(lane),
            is_weighed=name in weighed,
            y=row * LANE_HEIGHT,
            path="".join(f"M{x(m)} {row * LANE_HEIGHT + 5}v{MARK_HEIGHT}" for m in sorted({e.at for e in lane})),
            spans="".join(
                f"M{x(e.at)} {row * LANE_HEIGHT + 13}H{x(e.at + timedelta(seconds=e.duration_s))}"
                for e in lane
                if e.duration_s
            ),
        )
        for row, (name, lane) in enumerate(_few_lanes(at))
    )
    begins_s = (first - (report.start_time or first)).total_seconds()
    ticks = tuple(Tick(x=str(_x(n / TICKS)), label=said(begins_s + length_s * n / TICKS)) for n in range(TICKS + 1))
    return Timeline(lanes=lanes, ticks=ticks, height=len(lanes) * LANE_HEIGHT + AXIS_HEIGHT)


def _x(part: float) -> float:
    return round(LABEL_WIDTH + min(max(part, 0.0), 1.0) * (WIDTH - LABEL_WIDTH - RIGHT_MARGIN), 1)


def _span(report: Report, moments: list[datetime]) -> tuple[datetime, float]:
    """Where the axis begins, and its length in seconds."""
    first = min(moments if report.start_time is None else [*moments, report.start_time])
    last = max(moments if report.end_time is None else [*moments, report.end_time])
    if report.has_length and report.start_time - first > BEYOND_MAX:
        first = report.start_time - BEYOND_MAX
    if report.has_length and last - report.end_time > BEYOND_MAX:
        last = report.end_time + BEYOND_MAX
    return first, max((last - first).total_seconds(), SPAN_MIN_S)


def _few_lanes(at: dict[str, list[EventFact]]) -> list[tuple[str, list[EventFact]]]:
    by_count = sorted(at.items(), key=lambda item: (-len(item[1]), item[0]))
    if len(by_count) <= LANES_MAX:
        return by_count
    shown, rest = by_count[: LANES_MAX - 1], by_count[LANES_MAX - 1 :]
    return [*shown, (FURTHER_TYPES, [event for _, lane in rest for event in lane])]
