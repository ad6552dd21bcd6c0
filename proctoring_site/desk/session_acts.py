"""What a reviewer does from the page of a session: one form and one service per verb, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from proctoring_site.access.roles import GROUPS, Right
from proctoring_site.desk import session_forms as said
from proctoring_site.desk.review_view import Row
from proctoring_site.desk.session_forms import ReviewForm
from proctoring_site.desk.sitting import SittingTime
from sessions_app.errors import ProctoringError
from sessions_app.models import Session
from sessions_app.review import assignment
from sessions_app.review import services as reviews
from sessions_app.review.errors import ReviewChanged
from sessions_app.review.models import ReviewEntry
from sessions_app.review.reading import Review, review_of
from sessions_app.review.states import OUTCOME_MOVES, IncidentState, Outcome

CONFLICT, INVALID = 409, 400
WHO_WAS_QUICKER = (
    "Nothing was saved: somebody else has changed this review in the meantime. What you typed is still here."
)
LIFTED = "More points are now off than one person may decide on: somebody else must confirm the violation."
NO_PLACE = "The times of this session are not known, so no moment in it can be given."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. `picked`: the incident that it was about, as it is named now; no other takes its place. `form`:
    as it was filled in. `since`: what others did meanwhile, in sentences."""

    said: str
    status: int = 200
    verb: str = ""
    picked: str | None = None
    code: str | None = None
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    since: tuple[str, ...] = ()
    form: ReviewForm | None = None

    @property
    def is_done(self) -> bool:
        return self.status == 200

    def for_script(self) -> dict[str, Any]:
        if self.is_done:
            return {"said": self.said}
        told = {"detail": self.said, "code": self.code, "since": list(self.since)}
        return {**told, "fields": dict(self.fields)} if self.fields else told


#: The groups that a session may be assigned to, for choosing.
MAY_DECIDE = tuple(name for name, rights in GROUPS.items() if Right.DECIDE in rights)
#: Fields of the forms that the services have under other names.
CALLED = {"review_revision": "seen", "incident": "key", "begins": "start", "ends": "end"}


def _judge(to: IncidentState) -> Callable[..., Session]:
    return partial(reviews.judge, to=to)


#: verb → (form, service, what is said when it is done)
ACTS: Mapping[str, tuple[type[ReviewForm], Callable[..., Session], str]] = {
    "acknowledge": (said.JudgeForm, _judge(IncidentState.ACKNOWLEDGED), "Acknowledged."),
    "confirm": (said.JudgeForm, _judge(IncidentState.CONFIRMED), "Confirmed."),
    "dismiss": (said.DismissForm, _judge(IncidentState.DISMISSED), "Dismissed; it stays in the list, struck through."),
    "reopen": (said.ReopenForm, _judge(IncidentState.REOPENED), "Reopened."),
    "severity": (said.SeverityForm, reviews.set_severity, "The severity was changed."),
    "add_incident": (said.AddIncidentForm, reviews.add_incident, "The incident was added."),
    "note": (said.NoteForm, reviews.add_note, "The note was saved."),
    "allow": (
        said.AllowForm,
        reviews.allow,
        "Allowed: these events no longer count, and stay on the timeline.",
    ),
    "revoke": (said.RevokeForm, reviews.revoke_allowance, "These events count again."),
    "decide": (said.DecideForm, reviews.decide, "The outcome is {outcome}."),
    "assign": (said.AssignForm, assignment.assign, "Assigned to {assigned}."),
    "due": (said.DueForm, assignment.set_due, "The due time was changed."),
}
#: Which forms a page offers: acknowledging is that of confirming, and taking a session that of assigning it.
FORMS: Mapping[str, type[ReviewForm]] = {
    **{verb: form for verb, (form, *_) in ACTS.items() if verb not in ("acknowledge", "confirm", "revoke")},
    "judge": said.JudgeForm,
    "take": said.TakeForm,
}


def carry_out(session: Session, told: Mapping[str, str], *, by: AbstractBaseUser) -> Answer:
    """Do what the form says, or say why not; then nothing was changed."""
    verb = told.get("verb", "")
    if verb not in ACTS:
        return Answer("There is no such action.", INVALID, code="invalid")
    form_class, service, sentence = ACTS[verb]
    types = {"types": sorted(filter(None, session.counts))} if form_class is said.AllowForm else {}
    form = form_class(told, auto_id=f"{verb}-%s", **types)
    if not form.is_valid():
        return _not_so(form, verb)
    seen, before = form.cleaned_data["review_revision"], session.outcome
    try:
        time = _time_of(session)
        if not _has_place(form, time):
            return _not_so(form, verb)
        service(session, by=by, **_told(form, time))
    except ProctoringError as error:
        since = tuple(map(str, error.since)) if isinstance(error, ReviewChanged) else ()
        words = WHO_WAS_QUICKER if since else str(error)
        return Answer(words, CONFLICT, verb, told.get("incident"), error.code, since=since, form=form)
    words = sentence.format(outcome=session.outcome.value.replace("_", " "), assigned=session.assigned_to or "nobody")
    is_lifted = (before, session.outcome) == (Outcome.VIOLATION, Outcome.SECOND_REVIEW_REQUIRED)
    if is_lifted and verb != "decide":
        words = f"{words} {LIFTED}"
    return Answer(words, verb=verb, picked=_picked(session, seen + 1) or told.get("incident"))


def _told(form: ReviewForm, time: SittingTime) -> dict[str, Any]:
    """What the form says, as its service takes it."""
    told = {CALLED.get(name, name): value for name, value in form.cleaned_data.items()}
    return told | {name: time.instant(told[name]) for name in ("start", "end") if name in told}


def _not_so(form: ReviewForm, verb: str) -> Answer:
    faults = {name: list(map(str, errors)) for name, errors in form.errors.items()}
    picked = form.data.get("incident")
    return Answer("This cannot be saved as it is.", INVALID, verb, picked, "invalid", faults, form=form)


def _time_of(session: Session) -> SittingTime:
    """As the page counts it: where nobody knows the start, from the first of the events whose time is known."""
    if session.start_time is not None:
        return SittingTime(session.start_time)
    return SittingTime.of(None, (event.at for event in review_of(session).events))


def _has_place(form: ReviewForm, time: SittingTime) -> bool:
    """Whether the moments that were told are any; what is not gets an error of its own."""
    told = [name for name in ("begins", "ends") if form.cleaned_data.get(name) is not None]
    for name in told:
        if time.instant(form.cleaned_data[name]) is None:
            form.add_error(name, NO_PLACE)
    return form.is_valid()


def _picked(session: Session, revision: int) -> str | None:
    """The incident that this change was about: one that was judged for the first time has another key from then on."""
    entry = ReviewEntry.objects.filter(pk=f"{session.pk}/{revision}").only("about").first()
    return entry.about.get("incident") if entry else None


def forms_of(
    session: Session, review: Review, picked: Row | None, *, by: AbstractBaseUser, answer: Answer | None
) -> dict[str, ReviewForm]:
    """All that the page offers, by name; the one that was refused as it was filled in, upon what is there now."""
    now = {"review_revision": review.revision, "seen_until": review.seen_until and review.seen_until.isoformat()}
    now |= {"incident": picked.key if picked else ""}
    name = by.get_username()
    own = {"take": {"to": name}, "assign": {"to": session.assigned_to}, "due": {"due_at": session.due_at}}
    options: dict[str, dict[str, Any]] = {
        "allow": {"types": sorted(set(filter(None, session.counts)) - set(review.allowed))},
        "decide": {"outcomes": [outcome for outcome in Outcome if outcome in OUTCOME_MOVES[review.outcome]]},
        "add_incident": {"types": sorted({*review.policy.weights, *filter(None, session.counts)})},
        "assign": {"names": [name, *(f"{assignment.GROUP_PREFIX}{group}" for group in MAY_DECIDE)]},
        "severity": {"initial": {**now, "severity": picked.severity if picked else None}},
    }
    made = {}
    for place, form_class in FORMS.items():
        made[place] = form_class(
            **{"auto_id": f"{place}-%s", "initial": {**now, **own.get(place, {})}, **options.get(place, {})}
        )
        made[place].verb = place
    for event_type in review.allowed:
        initial = {**now, "event_type": event_type}
        form = said.RevokeForm(auto_id=f"{_place_of(event_type)}-%s", initial=initial)
        form.place, form.verb = _place_of(event_type), "revoke"
        made[f"revoke {event_type}"] = form
    if answer and answer.form is not None:
        _fill_in(made, answer, now)
    return made


def _place_of(event_type: str) -> str:
    """The same as long as the type is allowed, whatever else is: what was typed for one is never sent for another."""
    return f"revoke-{sha256(event_type.encode()).hexdigest()[:16]}"


def _fill_in(made: dict[str, ReviewForm], answer: Answer, now: dict[str, Any]) -> None:
    place = {"acknowledge": "judge", "confirm": "judge"}.get(answer.verb, answer.verb)
    if place == "revoke":
        place = f"revoke {answer.form.data.get('event_type')}"
    if place not in made:
        return
    data = answer.form.data.copy()
    data.update({name: value for name, value in now.items() if name != "incident"})
    form = made[place]
    form.data, form.is_bound = data, True
    faults = (fault for of_field in answer.fields.values() for fault in of_field)
    form.said = " ".join((answer.said, *faults, *answer.since))
