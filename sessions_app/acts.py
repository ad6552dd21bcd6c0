"""What staff do to a sitting from its page and the live board: forms, and carrying out what they say."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from sessions_app import services
from sessions_app.errors import ProctoringError
from sessions_app.models import Session
from sessions_app.serializers import TO_CANDIDATE_MAX_LENGTH
from sessions_app.states import ALLOWED, OPEN, ReasonCode, State


class EndForm(forms.Form):
    """Nothing to say; that it is meant, since nobody can take it back."""

    sure = forms.BooleanField(label="This candidate's exam is over")

    def clean(self) -> dict[str, Any]:
        return {}


class ReasonForm(forms.Form):
    reason_code = forms.ChoiceField(choices=[("", "no reason code"), *ReasonCode.choices], required=False)
    reason = forms.CharField(max_length=TO_CANDIDATE_MAX_LENGTH, required=False, label="To the candidate")

    def clean(self) -> dict[str, Any]:
        return {name: value or None for name, value in super().clean().items()}


class NeededReasonForm(ReasonForm):
    reason_code = forms.ChoiceField(choices=[("", "choose a reason code"), *ReasonCode.choices])


class MessageForm(forms.Form):
    message = forms.CharField(max_length=TO_CANDIDATE_MAX_LENGTH, label="To the candidate")


#: verb → (the state that it leads to, form, service, what is said when it is done)
ACTS: Mapping[str, tuple[State | None, type[forms.Form], Callable[..., Session], str]] = {
    "pause": (State.PAUSED, ReasonForm, services.pause_session, "The session is paused."),
    "resume": (State.RUNNING, ReasonForm, services.resume_session, "The session is running again."),
    "message": (None, MessageForm, services.message_candidate, "The client will show it with its next heartbeat."),
    "end": (State.ENDED, EndForm, services.end_session, "The session has ended."),
    "terminate": (State.TERMINATED, NeededReasonForm, services.terminate_session, "The session is terminated."),
}


def forms_for(session: Session) -> list[tuple[str, forms.Form]]:
    """The verbs that are possible from where the session stands, each with its empty form."""
    if session.state not in OPEN:
        return []
    possible = ALLOWED[session.state]
    return [
        (verb, form(auto_id=f"{verb}-%s")) for verb, (to, form, _, _) in ACTS.items() if to is None or to in possible
    ]


def carry_out(session: Session, told: Mapping[str, str]) -> tuple[bool, str]:
    """Whether it was done, and a sentence for whoever asked."""
    if told.get("verb") not in ACTS:
        return False, "There is no such action."
    _, form, service, sentence = ACTS[told["verb"]]
    filled = form(told)
    if not filled.is_valid():
        faults = (f"{name.replace('_', ' ')}: {' '.join(errors)}" for name, errors in filled.errors.items())
        return False, " ".join(faults)
    try:
        service(session, **filled.cleaned_data)
    except ProctoringError as error:
        return False, str(error)
    return True, sentence
