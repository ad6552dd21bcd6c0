"""The timeline under the player: where on a line of so many steps each mark lies. Pure: asks no database.

Marks that fall on the same step are drawn once, so that a drawing never has more than STEPS marks on a lane however
many events there are. The page stretches it to its width and gives it the scale (static/desk/session/timeline.js).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

STEPS = 10_000
#: More types share the last lane.
LANES_MAX = 8
OTHER_TYPES = "other types"
LANE_HEIGHT = 18
INCIDENTS_HEIGHT = 26
#: What is drawn later lies above: the gravest is never hidden.
MARKS = ("none", "dismissed", "low", "medium", "high")
#: So that a sitting of no length has a line.
SPAN_MIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was so from `at` until `until`, in seconds from the start of the sitting; often one moment."""

    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Lane:
    """What is drawn in one line: `type` None for the incidents of all types. `paths`: class of the mark → SVG path."""

    label: str
    type: str | None
    count: int
    y: int
    height: int
    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    begins: float
    ends: float
    lanes: tuple[Lane, ...]
    height: int
    #: Silences of the client, and the moments of the sitting: SVG paths over the whole height.
    gaps: str
    milestones: str
    steps: int = STEPS


def draw(
    *,
    length_s: float,
    events: Sequence[tuple[str, Span]],
    incidents: Sequence[tuple[str, Span]],
    gaps: Sequence[Span] = (),
    milestones: Sequence[float] = (),
    beyond_max_s: float = inf,
) -> Timeline:
    """`events` with their types, `incidents` with their mark, one of MARKS. The line holds 0 to `length_s`, and all
    that is no further from it than `beyond_max_s`."""
    spans = [span for _, span in (*events, *incidents)] + list(gaps)
    begins = max(min([0.0, *milestones, *(span.at for span in spans)]), -beyond_max_s)
    ends = max([length_s, begins + SPAN_MIN_S, *milestones, *(span.until for span in spans)])
    ends = min(ends, max(length_s, 0.0) + beyond_max_s)
    scale = _Scale(begins, ends)
    first = Lane("Incidents", None, len(incidents), 0, INCIDENTS_HEIGHT, _by_mark(incidents, scale, 0))
    lanes = [first, *_event_lanes(events, scale)]
    height = lanes[-1].y + lanes[-1].height
    return Timeline(
        begins=begins,
        ends=ends,
        lanes=tuple(lanes),
        height=height,
        gaps=_areas(gaps, scale, height),
        milestones=" ".join(f"M{x} 0V{height}" for x in sorted({scale.x(at) for at in milestones})),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    begins: float
    ends: float

    def x(self, at: float) -> int:
        return round(min(max((at - self.begins) / (self.ends - self.begins), 0.0), 1.0) * STEPS)


def _event_lanes(events: Sequence[tuple[str, Span]], scale: _Scale) -> Iterable[Lane]:
    by_type: dict[str, list[Span]] = {}
    for event_type, span in events:
        by_type.setdefault(event_type, []).append(span)
    rows = sorted(by_type.items(), key=lambda item: (-len(item[1]), item[0]))
    named: list[tuple[str, str | None, list[Span]]] = [(name, name, spans) for name, spans in rows]
    if len(rows) > LANES_MAX:
        rest = [span for _, spans in rows[LANES_MAX - 1 :] for span in spans]
        named = [*named[: LANES_MAX - 1], (OTHER_TYPES, None, rest)]
    for number, (label, event_type, spans) in enumerate(named):
        y = INCIDENTS_HEIGHT + number * LANE_HEIGHT
        path = _marks(spans, scale, y + 4, LANE_HEIGHT - 8)
        yield Lane(label, event_type, len(spans), y, LANE_HEIGHT, (("event", path),))


def _by_mark(incidents: Sequence[tuple[str, Span]], scale: _Scale, y: int) -> tuple[tuple[str, str], ...]:
    by_mark: dict[str, list[Span]] = {}
    for mark, span in incidents:
        by_mark.setdefault(mark, []).append(span)
    marks = (mark for mark in MARKS if mark in by_mark)
    return tuple((mark, _marks(by_mark[mark], scale, y + 4, INCIDENTS_HEIGHT - 8)) for mark in marks)


def _marks(spans: Iterable[Span], scale: _Scale, y: int, height: int) -> str:
    """An upright line where each begins, and a box as long as it lasted where that can be seen."""
    drawn: dict[int, int] = {}
    for span in spans:
        x = scale.x(span.at)
        drawn[x] = max(drawn.get(x, x), scale.x(span.until))
    return "".join(f"M{x} {y}v{height}{f'H{end}v-{height}z' if end > x else ''}" for x, end in sorted(drawn.items()))


def _areas(spans: Iterable[Span], scale: _Scale, height: int) -> str:
    places = sorted({(scale.x(span.at), scale.x(span.until)) for span in spans})
    return "".join(f"M{x} 0H{max(end, x + 1)}V{height}H{x}z" for x, end in places)
