"""How bad is it? Counts of events become one explainable number. Pure: imports no Django, asks no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

FULL_SCORE = 100

#: Points off per event. The earlier service documented the sum (100 minus weighted counts) and not its weights; these
#: are ours, in the order of what a reviewer must look at first: a glance away weighs little, a second person or a
#: phone much. Override by the setting SCORE_WEIGHTS. A type that is not named here weighs nothing and is kept.
DEFAULT_WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "focus_lost": 2,
        "looking_away": 1,
        "no_face": 3,
        "multiple_faces": 10,
        "phone_detected": 15,
        "notes_detected": 10,
        "device_detected": 10,
    }
)

#: The types that the report's `suspicious_events_count` adds up (the earlier service's definition).
SUSPICIOUS_TYPES = ("multiple_faces", "phone_detected", "notes_detected", "device_detected")

#: The lowest score of each band, best first. 100 to 80: a few glances away; below 50: several weighty events.
BANDS: tuple[tuple[str, int], ...] = (("low", 80), ("medium", 50), ("high", 0))

LOW = "low"
#: In place of `low`: little was seen, but little was watched. What was seen stays seen, so the other bands stand.
INSUFFICIENT_DATA = "insufficient_data"
#: The share of a sitting that must have been watched, by each of what was meant to watch. Ours; a lost minute in
#: five is where "nothing was seen" stops meaning "nothing was there".
COVERAGE_MIN = 0.8
BAND_NAMES = (*(name for name, _ in BANDS), INSUFFICIENT_DATA)

FLAGS_ARE_NOT_FINDINGS = "Flags are not findings; a person decides."


#: What a policy counts: each event, as the earlier service did, or each incident that they fold into.
EVENTS, INCIDENTS = "events", "incidents"
#: Events of one type that lie no further apart are one incident. Ours: half a minute is about as long as somebody who
#: watches takes two glances away for one.
GAP_S = 30.0
#: A violation whose points off, as reviewed, are more than this needs a second reviewer: the high band, as shipped.
SECOND_REVIEW_ABOVE = 50
#: From this reviewed score on, a session may be passed together with others and without a look: a few glances, and
#: nothing that weighs 10.
CLEAN_FROM = 95


@dataclass(frozen=True, slots=True)
class Policy:
    """What weighs how much, in whole points per event or incident, and where the bands begin.

    `caps`: the most that a type may take off. `gap_s`: what folds events into one incident. `min_duration_s`: what is
    known to be shorter weighs nothing. `bands`: names and lowest scores, best first. `second_review_above` None: never.
    `version` None: not stored yet (the shipped weights before they were first used, or a draft).
    """

    weights: Mapping[str, int]
    caps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    gap_s: float = GAP_S
    min_duration_s: float = 0.0
    counts: str = EVENTS
    bands: tuple[tuple[str, int], ...] = BANDS
    coverage_min: float = COVERAGE_MIN
    second_review_above: int | None = SECOND_REVIEW_ABOVE
    clean_from: int = CLEAN_FROM
    version: int | None = None

    @classmethod
    def with_overrides(cls, overrides: Mapping[str, int]) -> "Policy":
        return cls(weights=MappingProxyType({**DEFAULT_WEIGHTS, **overrides}))

    @property
    def is_plain(self) -> bool:
        """Whether the counts of a session tell its score, without a look at its events."""
        return self.counts == EVENTS and not self.min_duration_s


@dataclass(frozen=True, slots=True)
class Deduction:
    """What one type took off: `points` of the `count` × `weight` that it weighed, less when `cap` says so or the score
    was at 0. `event_ids`: the events behind it, where they were read; those that a person added have none."""

    event_type: str
    count: int
    weight: int
    points: int
    cap: int | None = None
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """`integrity_score`: 100 (nothing seen) down to 0, high is good. `risk_band`: one of BAND_NAMES."""

    integrity_score: int
    risk_band: str
    deductions: tuple[Deduction, ...]


def integrity_score(
    counts: Mapping[str, int],
    *,
    policy: Policy,
    covered: float | None = None,
    event_ids: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Score:
    """Weigh a session's counts into one score, 100 (nothing seen) down to 0.

    Counts are per event type, of events or of incidents; a type the policy does not name weighs nothing. The result
    lists one deduction per type that weighs, heaviest first, and their points sum exactly to 100 minus the score: once
    the score has reached 0, a further type is listed with the points that were left to take. `covered` is the smallest
    share of the sitting that was watched, None when nobody knows: then the score alone makes the band.
    """
    weighed = [(_most(policy, name, n * policy.weights.get(name, 0)), name, n) for name, n in counts.items()]
    heaviest_first = sorted((w for w in weighed if w[0] > 0), key=lambda w: (-w[0], w[1]))
    left = FULL_SCORE
    deductions = []
    for weight_of_all, name, n in heaviest_first:
        points = min(weight_of_all, left)
        left -= points
        weight, ids = policy.weights[name], event_ids.get(name, ())
        deductions.append(Deduction(name, n, weight, points, cap=policy.caps.get(name), event_ids=ids))
    return Score(left, risk_band(left, covered=covered, policy=policy), tuple(deductions))


def _most(policy: Policy, event_type: str, points: int) -> int:
    return min(points, policy.caps.get(event_type, points))


_SHIPPED = Policy.with_overrides({})


def risk_band(score: int, *, covered: float | None = None, policy: Policy = _SHIPPED) -> str:
    band = next(name for name, lowest in policy.bands if score >= lowest)
    too_little = covered is not None and covered < policy.coverage_min
    return INSUFFICIENT_DATA if band == LOW and too_little else band


def band_range(band: str, *, policy: Policy = _SHIPPED) -> tuple[int, int]:
    """The lowest and highest score of a band, both included."""
    highest = FULL_SCORE
    for name, lowest in policy.bands:
        if name == band:
            return lowest, highest
        highest = lowest - 1
    raise ValueError(f"There is no band {band!r}.")
