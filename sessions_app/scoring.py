"""How bad is it? Counts of events become one explainable number. Pure: imports no Django, asks no database."""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Policy:
    """What one event of each type costs, in whole points."""

    weights: Mapping[str, int]

    @classmethod
    def with_overrides(cls, overrides: Mapping[str, int]) -> "Policy":
        return cls(weights=MappingProxyType({**DEFAULT_WEIGHTS, **overrides}))


@dataclass(frozen=True, slots=True)
class Deduction:
    """What one type took off: `points` of the `count` × `weight` that it weighed, less when the score was at 0."""

    event_type: str
    count: int
    weight: int
    points: int


@dataclass(frozen=True, slots=True)
class Score:
    """`integrity_score`: 100 (nothing seen) down to 0, high is good. `risk_band`: one of BAND_NAMES."""

    integrity_score: int
    risk_band: str
    deductions: tuple[Deduction, ...]


def integrity_score(counts: Mapping[str, int], *, policy: Policy, covered: float | None = None) -> Score:
    """Weigh a session's event counts into one score, 100 (nothing seen) down to 0.

    Counts are per event type; a type the policy does not name weighs nothing. The result lists one deduction
    per type that weighs, heaviest first, and their points sum exactly to 100 minus the score: once the score
    has reached 0, a further type is listed with the points that were left to take. `covered` is the smallest share
    of the sitting that was watched, None when nobody knows: then the score alone makes the band.
    """
    weighed = [(n * policy.weights.get(name, 0), name, n) for name, n in counts.items()]
    heaviest_first = sorted((w for w in weighed if w[0] > 0), key=lambda w: (-w[0], w[1]))
    left = FULL_SCORE
    deductions = []
    for weight_of_all, name, n in heaviest_first:
        points = min(weight_of_all, left)
        left -= points
        deductions.append(Deduction(event_type=name, count=n, weight=policy.weights[name], points=points))
    return Score(integrity_score=left, risk_band=risk_band(left, covered=covered), deductions=tuple(deductions))


def risk_band(score: int, *, covered: float | None = None) -> str:
    band = next(name for name, lowest in BANDS if score >= lowest)
    return INSUFFICIENT_DATA if band == LOW and covered is not None and covered < COVERAGE_MIN else band


def band_range(band: str) -> tuple[int, int]:
    """The lowest and highest score of a band, both included."""
    highest = FULL_SCORE
    for name, lowest in BANDS:
        if name == band:
            return lowest, highest
        highest = lowest - 1
    raise ValueError(f"There is no band {band!r}.")
