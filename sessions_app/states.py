"""Where a sitting stands, which moves are allowed, and the reasons that staff may name."""

from collections.abc import Mapping

from django.db.models import TextChoices


class State(TextChoices):
    """Where a sitting stands."""

    RUNNING = "running"  # the candidate's browser may report
    PAUSED = "paused"  # staff asked the candidate to wait; what is reported meanwhile is still taken
    ENDED = "ended"  # by the candidate, or by staff in the ordinary way
    TERMINATED = "terminated"  # stopped by staff, with a reason code
    EXPIRED = "expired"  # closed by us: no sign of life for SESSION_EXPIRES_AFTER_S


OPEN = (State.RUNNING, State.PAUSED)
_CLOSING = frozenset({State.ENDED, State.TERMINATED, State.EXPIRED})
ALLOWED: Mapping[State, frozenset[State]] = {
    State.RUNNING: _CLOSING | {State.PAUSED},
    State.PAUSED: _CLOSING | {State.RUNNING},
    State.ENDED: frozenset(),
    State.TERMINATED: frozenset(),
    State.EXPIRED: frozenset(),
}


def state_of(status: object, *, is_closed: bool) -> State:
    """By the stored status and whether there is an end, which adopted and imported sessions say alone."""
    if is_closed:
        return State(status) if status in (State.TERMINATED, State.EXPIRED) else State.ENDED
    return State.PAUSED if status == State.PAUSED else State.RUNNING


class ReasonCode(TextChoices):
    """Why staff act on a sitting; the groups and words are those of TAO's irregularity codes."""

    ENVIRONMENT_COMFORT = "environment.comfort"
    ENVIRONMENT_DISTURBANCE = "environment.disturbance"
    ENVIRONMENT_NOISE = "environment.noise"
    ENVIRONMENT_POWER_OUTAGE = "environment.power_outage"
    ENVIRONMENT_WEATHER = "environment.weather"
    EXAMINEE_BEHAVIOUR = "examinee.behaviour"
    EXAMINEE_COMPLAINT = "examinee.complaint"
    EXAMINEE_IDENTITY = "examinee.identity"
    EXAMINEE_ILLNESS = "examinee.illness"
    EXAMINEE_LATE = "examinee.late"
    EXAMINEE_NO_SHOW = "examinee.no_show"
    PROCTOR_BEHAVIOUR = "proctor.behaviour"
    PROCTOR_COMPLIANCE = "proctor.compliance"
    PROCTOR_ERROR = "proctor.error"
    PROCTOR_LATE = "proctor.late"
    PROCTOR_NO_SHOW = "proctor.no_show"
    TECHNICAL_FREEZING = "technical.freezing"
    TECHNICAL_LAUNCHING = "technical.launching"
    TECHNICAL_NETWORK = "technical.network"
    TECHNICAL_PRINTING = "technical.printing"
    TECHNICAL_WORKSTATION = "technical.workstation"
    OTHER = "other"
