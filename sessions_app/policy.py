"""Which policy is in force, and what a version says. Versions never change, so this process keeps what it read."""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from django.conf import settings

from sessions_app.review.errors import NoSuchPolicy
from sessions_app.review.models import ActivePolicy, PolicyVersion
from sessions_app.scoring import Policy

#: The shipped weights. It needs no row; whatever else is used has one.
SHIPPED_VERSION = 1
_SHIPPED = replace(Policy.with_overrides({}), version=SHIPPED_VERSION)
#: Another process's activation is noticed after this long: the path of events asks for the policy, and must not ask the
#: database each time.
SEEN_AGAIN_AFTER_S = 5.0

_versions: dict[int, Policy] = {}
_active: tuple[int | None, float] = (None, 0.0)
_overridden: tuple[Mapping[str, int] | None, Policy | None] = (None, None)


def active_policy() -> Policy:
    """The version that somebody activated; else the shipped weights with the setting SCORE_WEIGHTS on top."""
    version, until = _active
    if time.monotonic() >= until:
        version = ActivePolicy.objects.values_list("version", flat=True).first()
        note_active(version)
    if version is not None:
        return policy_of(version)
    return _with_overrides() if settings.SCORE_WEIGHTS else _SHIPPED


def _with_overrides() -> Policy:
    """Made once, as the setting is."""
    global _overridden
    overrides, policy = _overridden
    if policy is None or overrides is not settings.SCORE_WEIGHTS:
        policy = Policy.with_overrides(settings.SCORE_WEIGHTS)
        _overridden = (settings.SCORE_WEIGHTS, policy)
    return policy


def note_active(version: int | None, *, for_s: float = SEEN_AGAIN_AFTER_S) -> None:
    """What this process holds for active, and for how long without asking. None: nobody activated any."""
    global _active
    _active = (version, time.monotonic() + for_s)


def policy_of(version: int) -> Policy:
    """Raises NoSuchPolicy."""
    if version == SHIPPED_VERSION:
        return _SHIPPED
    if version not in _versions:
        stored = PolicyVersion.objects.filter(pk=version).first()
        if stored is None:
            raise NoSuchPolicy
        _versions[version] = as_policy(stored)
    return _versions[version]


def policy_for(version: int | None) -> Policy:
    """The version that a session was scored with; the one in force where it was not, or where nobody knows it."""
    try:
        return active_policy() if version is None else policy_of(version)
    except NoSuchPolicy:  # an adopted document's own number
        return active_policy()


def forget() -> None:
    """For tests, whose versions go with them."""
    _versions.clear()
    note_active(None, for_s=0)


def as_policy(stored: PolicyVersion) -> Policy:
    return Policy(
        weights=_whole(stored.weights),
        caps=_whole(stored.caps),
        gap_s=stored.gap_s,
        min_duration_s=stored.min_duration_s,
        counts=stored.counts,
        bands=(("low", stored.low_from), ("medium", stored.medium_from), ("high", 0)),
        coverage_min=stored.coverage_min,
        second_review_above=stored.second_review_above,
        clean_from=stored.clean_from,
        version=stored.version,
    )


def _whole(points: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType({event_type: int(n) for event_type, n in points.items()})
