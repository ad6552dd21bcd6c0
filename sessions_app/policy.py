"""Which weights are in force."""

from django.conf import settings

from sessions_app.scoring import Policy


def active_policy() -> Policy:
    """The shipped weights with the setting SCORE_WEIGHTS on top."""
    return Policy.with_overrides(settings.SCORE_WEIGHTS)
