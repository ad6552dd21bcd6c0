"""Policies are made, never changed; one is in force. Who activates another says which one they held for active."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from pymongo.errors import DuplicateKeyError

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.documents import document_of
from proctoring_site.mongo_engine.instants import naive_utc
from sessions_app import policy as in_force
from sessions_app import scoring
from sessions_app.models import EVENT_TYPE_MAX_LENGTH, now
from sessions_app.policy import SHIPPED_VERSION, active_policy, policy_of
from sessions_app.review.errors import BadPolicy, PolicyChanged
from sessions_app.review.models import ActivePolicy, PolicyVersion
from sessions_app.scoring import FULL_SCORE, Policy

THE_ONE = "active"
#: Who made a version that came from SCORE_WEIGHTS.
BY_SETTINGS = "SCORE_WEIGHTS"
#: In one policy; each is a term of the admin's filter by band.
TYPES_MAX = 100
GAP_MAX_S = 3600.0


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants of the next version; fields as PolicyVersion has them."""

    weights: Mapping[str, int]
    caps: Mapping[str, int] = field(default_factory=dict)
    gap_s: float = scoring.GAP_S
    min_duration_s: float = 0.0
    counts: str = scoring.EVENTS
    low_from: int = 80
    medium_from: int = 50
    coverage_min: float = scoring.COVERAGE_MIN
    second_review_above: int | None = scoring.SECOND_REVIEW_ABOVE
    clean_from: int = scoring.CLEAN_FROM
    note: str = ""


def draft_of(policy: Policy) -> Draft:
    """To start an edit from."""
    lowest = dict(policy.bands)
    return Draft(
        weights=dict(policy.weights),
        caps=dict(policy.caps),
        gap_s=policy.gap_s,
        min_duration_s=policy.min_duration_s,
        counts=policy.counts,
        low_from=lowest["low"],
        medium_from=lowest["medium"],
        coverage_min=policy.coverage_min,
        second_review_above=policy.second_review_above,
        clean_from=policy.clean_from,
    )


def create(draft: Draft, *, by: AbstractBaseUser) -> Policy:
    """The next version, not in force yet. Raises BadPolicy with a sentence that says what is wrong."""
    check(draft)
    record(Action.CREATED, ObjectKind.POLICY)
    return _store(draft, by=by.get_username())


def activate(version: int, *, by: AbstractBaseUser, instead_of: int | None) -> Policy:
    """Put a version in force for what is scored from now on; `rescore` does the rest.

    `instead_of`: the version that the person held for active (`active_version`). Raises PolicyChanged when it is not,
    and NoSuchPolicy.
    """
    policy = policy_of(version)
    record(Action.CHANGED, ObjectKind.POLICY, str(version), changes={"active": (instead_of, version)})
    chosen = {"version": version, "since": naive_utc(now()), "by": by.get_username()}
    rows = connection.get_collection(ActivePolicy._meta.db_table)
    try:
        before = {"_id": THE_ONE, "version": instead_of} if instead_of is not None else {"_id": THE_ONE, "version": -1}
        claim = rows.update_one(before, {"$set": chosen}, upsert=instead_of is None, session=connection.session)
    except DuplicateKeyError as error:
        raise PolicyChanged from error
    if not claim.matched_count and claim.upserted_id is None:
        raise PolicyChanged
    in_force.note_active(version)
    return policy


def active_version() -> int | None:
    """As stored now; None: nobody activated any, and the shipped weights with SCORE_WEIGHTS are in force."""
    version = ActivePolicy.objects.values_list("version", flat=True).first()
    in_force.note_active(version)
    return version


def in_use() -> Policy:
    """The policy in force, with its version: what SCORE_WEIGHTS makes is stored when it is first used."""
    policy = active_policy()
    return policy if policy.version is not None else _version_of_settings(policy)


def versions() -> list[tuple[int, Policy, PolicyVersion | None]]:
    """All, newest first: number, what it says, and its row; the shipped one has no row."""
    rows = PolicyVersion.objects.order_by("-version")
    return [*((row.version, in_force.as_policy(row), row) for row in rows), (1, policy_of(SHIPPED_VERSION), None)]


def check(draft: Draft) -> None:
    """Raises BadPolicy."""
    if not draft.weights or len(draft.weights) > TYPES_MAX:
        raise BadPolicy(f"A policy has weights for 1 to {TYPES_MAX} event types.")
    for event_type, points in [*draft.weights.items(), *draft.caps.items()]:
        fits = 0 < len(event_type) <= EVENT_TYPE_MAX_LENGTH and "\0" not in event_type
        if not fits or event_type != event_type.strip():
            raise BadPolicy(f"An event type has 1 to {EVENT_TYPE_MAX_LENGTH} characters, with no blanks at its ends.")
        if type(points) is not int or not 0 <= points <= FULL_SCORE:
            raise BadPolicy(f"{event_type}: a weight or cap must be a whole number from 0 to {FULL_SCORE}.")
    if unknown := sorted(set(draft.caps) - set(draft.weights)):
        raise BadPolicy(f"There is a cap but no weight for {', '.join(unknown)}.")
    if draft.counts not in (scoring.EVENTS, scoring.INCIDENTS):
        raise BadPolicy("What is counted must be events or incidents.")
    if not FULL_SCORE >= draft.low_from > draft.medium_from > 0:
        raise BadPolicy("The bands need 100 ≥ low > medium > 0.")
    for name, value, most in (
        ("gap", draft.gap_s, GAP_MAX_S),
        ("minimum duration", draft.min_duration_s, GAP_MAX_S),
        ("minimum coverage", draft.coverage_min, 1.0),
        ("threshold of second reviews", draft.second_review_above or 0, FULL_SCORE),
        ("threshold of clean sessions", draft.clean_from, FULL_SCORE),
    ):
        if not 0 <= value <= most:  # NaN, too
            raise BadPolicy(f"The {name} must be a number from 0 to {most:g}.")


def _version_of_settings(policy: Policy) -> Policy:
    """The stored version that says the same, made when there is none: a new SCORE_WEIGHTS is a new version. Not
    checked as a person's draft is: env.py took it, and a session must be able to end."""
    draft = draft_of(policy)
    key = json.dumps(draft.weights, sort_keys=True)
    for version, known, row in versions():
        if row is not None and row.created_by == BY_SETTINGS and json.dumps(dict(known.weights), sort_keys=True) == key:
            return policy_of(version)
    return _store(draft, by=BY_SETTINGS)


def _store(draft: Draft, *, by: str) -> Policy:
    rows = connection.get_collection(PolicyVersion._meta.db_table)
    while True:
        newest = PolicyVersion.objects.order_by("-version").values_list("version", flat=True).first()
        row = PolicyVersion(version=(newest or SHIPPED_VERSION) + 1, created_at=now(), created_by=by, **asdict(draft))
        try:
            rows.insert_one(document_of(row), session=connection.session)
        except DuplicateKeyError:  # another was quicker; this is the next one
            continue
        return policy_of(row.version)
