"""Which weights are in force."""

from collections.abc import Mapping

from django.conf import settings

from sessions_app.scoring import Policy

_made: tuple[Mapping[str, int] | None, Policy | None] = (None, None)


def active_policy() -> Policy:
    """The shipped weights with the setting SCORE_WEIGHTS on top; made once, as the setting is."""
    global _made
    overrides, policy = _made
    if policy is None or overrides is not settings.SCORE_WEIGHTS:
        overrides = settings.SCORE_WEIGHTS
        policy = Policy.with_overrides(overrides)
        _made = (overrides, policy)
    return policy
