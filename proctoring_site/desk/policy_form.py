"""The form in which somebody writes the next version of the policy; weights and caps as one line per event type."""

import json
import re
from dataclasses import asdict
from typing import Any

from django import forms

from sessions_app import scoring
from sessions_app.review import policies
from sessions_app.review.errors import BadPolicy
from sessions_app.review.models import REASON_MAX_LENGTH
from sessions_app.review.policies import Draft
from sessions_app.scoring import Policy

#: An event type, its points, and the most that it takes off: "looking_away 1 20". What would read as another is quoted,
#: as JSON does: the points of "camera 2" would be its cap. SCORE_WEIGHTS allows points beyond 100, so they are
#: read, too; `policies.check` says what is wrong with them.
LINE = re.compile(r'(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<event_type>\S.*?))\s+(?P<weight>\d+)(?:\s+(?P<cap>\d+))?')
WEIGHTS_MAX_LENGTH = 20_000


class PolicyForm(forms.Form):
    weights = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        max_length=WEIGHTS_MAX_LENGTH,
        label="Weights and caps",
        help_text="One event type per line: its name, its points and, if it has a cap, the most that it takes off, "
        'such as: looking_away 1 20. Put a name that ends in a number in quotation marks: "camera 2" 5. '
        "Types that are not listed cost no points.",
    )
    counts = forms.ChoiceField(
        label="What is counted",
        choices=[
            (scoring.EVENTS, "Every event, as in the earlier service"),
            (scoring.INCIDENTS, "Incidents: events of one type within the gap count once"),
        ],
    )
    gap_s = forms.FloatField(label="Gap within which events become one incident (seconds)")
    min_duration_s = forms.FloatField(label="Minimum duration (seconds): what is known to be shorter costs no points")
    low_from = forms.IntegerField(label="Low risk from a score of")
    medium_from = forms.IntegerField(label="Medium risk from a score of")
    coverage_min = forms.FloatField(label="Share of the session that must have been watched (0 to 1)")
    second_review_above = forms.IntegerField(
        label="A violation with more points off than this needs a second reviewer (empty: never)", required=False
    )
    clean_from = forms.IntegerField(label="Clean, and may be passed in bulk, from a score of")
    note = forms.CharField(
        max_length=REASON_MAX_LENGTH,
        required=False,
        label="Reason for this version",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    @classmethod
    def from_policy(cls, policy: Policy) -> "PolicyForm":
        return cls(initial=asdict(policies.draft_of(policy)) | {"weights": lines_of(policy)})

    def clean_weights(self) -> tuple[dict[str, int], dict[str, int]]:
        weights: dict[str, int] = {}
        caps: dict[str, int] = {}
        for number, line in enumerate(self.cleaned_data["weights"].splitlines(), start=1):
            if not line.strip():
                continue
            try:
                event_type, weight, cap = read(line)
            except ValueError:
                raise forms.ValidationError(f"Line {number}: enter a name and points, as in: looking_away 1") from None
            if event_type in weights:
                raise forms.ValidationError(f"Line {number}: {event_type} is listed twice.")
            weights[event_type] = weight
            if cap is not None:
                caps[event_type] = cap
        return weights, caps

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.errors:
            weights, caps = values["weights"]
            others = {name: value for name, value in values.items() if name != "weights"}
            self.draft = Draft(weights=weights, caps=caps, **others)
            try:
                policies.check(self.draft)
            except BadPolicy as error:
                raise forms.ValidationError(str(error)) from error
        return values


def read(line: str) -> tuple[str, int, int | None]:
    """An event type, its points, and its cap, if it has one. Raises ValueError."""
    found = LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError(line)
    name = json.loads(found["quoted"]) if found["quoted"] else found["event_type"]
    return name, int(found["weight"]), int(found["cap"]) if found["cap"] else None


def line_of(event_type: str, weight: int, cap: int | None) -> str:
    """Such that it reads as just that."""
    numbers = " ".join(str(number) for number in (weight, cap) if number is not None)
    names = (event_type, json.dumps(event_type, ensure_ascii=False), json.dumps(event_type))
    lines = (f"{name} {numbers}" for name in names)
    return next(line for line in lines if line.splitlines() == [line] and _reads_as(line, event_type, weight, cap))


def _reads_as(line: str, *told: str | int | None) -> bool:
    try:
        return read(line) == told
    except ValueError:
        return False


def lines_of(policy: Policy) -> str:
    """As the form takes them, the heaviest first."""
    heaviest_first = sorted(policy.weights.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(line_of(name, weight, policy.caps.get(name)) for name, weight in heaviest_first)
