"""What a reviewer may say on the page of a session, as forms. Whether it is allowed, the services know."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms

from sessions_app import moments
from sessions_app.models import EVENT_TYPE_MAX_LENGTH
from sessions_app.review.models import NOTE_MAX_LENGTH, REASON_MAX_LENGTH
from sessions_app.review.states import Outcome, Severity

#: Usual reasons to choose from; any other is as good.
USUAL_REASONS = ("Nothing to see", "Another member of the household, no help", "False alarm by the detector")
LONGEST_S = 604_800


class MomentField(forms.CharField):
    """A moment of the sitting, as 12:04 or 1:12:04; cleaned into seconds since its start, None when left out."""

    def __init__(self, *, fills: bool = False, **options: Any) -> None:
        """`fills`: the page's script fills in where the player stands."""
        attrs = {"size": 8, "autocomplete": "off", "placeholder": "12:04", **({"data-now": ""} if fills else {})}
        super().__init__(max_length=20, widget=forms.TextInput(attrs=attrs), **options)

    def clean(self, value: Any) -> float | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            seconds = moments.read(text)
        except ValueError:
            raise forms.ValidationError("Enter the moment as 12:04 or 1:12:04.") from None
        if abs(seconds) > LONGEST_S:
            raise forms.ValidationError("No session is that long.")
        return seconds


class InstantField(forms.CharField):
    """An instant as our own page wrote it, exactly."""

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        try:
            return datetime.fromisoformat(text).astimezone(UTC) if text else None
        except (ValueError, OverflowError):
            raise forms.ValidationError("This is not a point in time.") from None


class Choosing(forms.TextInput):
    """A line of text with usual ones to choose from; any other is as good."""

    template_name = "desk/session/choosing.html"
    usual: Sequence[str] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        list_id = f"{context['widget']['attrs'].get('id', name)}-usual"
        context["widget"]["attrs"] |= {"list": list_id, "autocomplete": "off", "dir": "auto"}
        return {**context, "list_id": list_id, "usual": self.usual}


def _reason(*, label: str = "Reason", required: bool = True, usual: Sequence[str] = ()) -> forms.CharField:
    widget = Choosing() if usual else forms.Textarea(attrs={"rows": 2, "dir": "auto"})
    widget.usual = usual
    return forms.CharField(label=label, required=required, max_length=REASON_MAX_LENGTH, widget=widget)


class ReviewForm(forms.Form):
    """`review_revision`: what the person had seen when they said it."""

    review_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    #: Why it was refused, for a page without script.
    said = ""
    #: The id of the form on the page, of those that the page has several of.
    place = ""
    #: What its button says that is to be done.
    verb = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **options})


class JudgeForm(ReviewForm):
    """Acknowledge and confirm: one button each."""

    incident = forms.CharField(
        max_length=64, widget=forms.HiddenInput, error_messages={"required": "Select an incident first."}
    )
    #: When the newest event that the person saw was received; what came later is not judged.
    seen_until = InstantField(widget=forms.HiddenInput, required=False)


class DismissForm(JudgeForm):
    reason = _reason(usual=USUAL_REASONS)


class ReopenForm(JudgeForm):
    reason = _reason()


class SeverityForm(JudgeForm):
    severity = forms.TypedChoiceField(choices=Severity.choices, coerce=Severity)
    reason = _reason(required=False)


class StretchForm(ReviewForm):
    """Of what lasts from `begins` until `ends`, of the form that extends it."""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        begins, ends = values.get("begins"), values.get("ends")
        if ends is None or "begins" in self.errors:
            return values
        if begins is None:
            self.add_error("begins", "Enter when it begins, too.")
        elif ends < begins:
            self.add_error("ends", "It ends before it begins.")
        return values


class AddIncidentForm(StretchForm):
    event_type = forms.CharField(label="Event type", max_length=EVENT_TYPE_MAX_LENGTH, widget=Choosing)
    begins = MomentField(label="From", fills=True)
    ends = MomentField(label="Until", required=False)
    severity = forms.TypedChoiceField(choices=Severity.choices, coerce=Severity, initial=Severity.MEDIUM)
    reason = _reason(label="What you noticed")

    def __init__(self, *args: Any, types: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["event_type"].widget.usual = types


class NoteForm(StretchForm):
    text = forms.CharField(max_length=NOTE_MAX_LENGTH, widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}))
    begins = MomentField(
        label="From", required=False, fills=True, help_text="Leave empty for a note on the whole session."
    )
    ends = MomentField(label="Until", required=False)


class AllowForm(ReviewForm):
    event_type = forms.ChoiceField(label="Event type")
    reason = _reason()

    def __init__(self, *args: Any, types: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["event_type"].choices = [(name, name) for name in types]


class RevokeForm(ReviewForm):
    event_type = forms.CharField(max_length=EVENT_TYPE_MAX_LENGTH, widget=forms.HiddenInput)
    reason = _reason()


class DecideForm(ReviewForm):
    outcome = forms.TypedChoiceField(coerce=Outcome, widget=forms.RadioSelect)
    reason = _reason(required=False)

    def __init__(self, *args: Any, outcomes: Sequence[Outcome] = tuple(Outcome), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["outcome"].choices = [(outcome.value, outcome.value.replace("_", " ")) for outcome in outcomes]


class AssignForm(ReviewForm):
    to = forms.CharField(
        label="To",
        max_length=160,
        required=False,
        empty_value=None,
        widget=Choosing,
        help_text="A user name or a group. Leave empty for nobody.",
    )

    def __init__(self, *args: Any, names: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["to"].widget.usual = names


class TakeForm(AssignForm):
    """The same with one button: to me."""

    to = forms.CharField(max_length=160, widget=forms.HiddenInput)


class DueForm(ReviewForm):
    due_at = forms.DateTimeField(
        label="Due (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
