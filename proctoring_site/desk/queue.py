"""The review queue: which sessions need a person, the most urgent first."""

from typing import Any

from proctoring_site.access.roles import Right, may


def may_see(user: Any) -> bool:
    return may(user, Right.SEE_SESSIONS) or may(user, Right.SEE_RUNNING)
