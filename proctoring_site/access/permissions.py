"""Who may call a route: rules, one line per route in each view. What no rule allows is a 404."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from proctoring_site.access import links
from proctoring_site.access.candidate_token import Candidate
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.actors import act_as

Rule = Callable[[Request, APIView], bool]

NOT_YOURS = "There is nothing here, or you lack the login or the right to see it."


def own_session(request: Request, view: APIView) -> bool:
    """The candidate, with the token of just this session."""
    return isinstance(request.user, Candidate) and request.user.session_id == view.kwargs.get("pk")


def holds(*rights: Right) -> Rule:
    """Staff and machines with all of these. Which sessions they see, `visible_to` says."""

    def rule(request: Request, view: APIView) -> bool:
        return may(request.user, *rights)

    return rule


def follows_link(right: Right) -> Rule:
    """A signed link to just this file, which has not expired, of somebody who has the right still."""

    def rule(request: Request, view: APIView) -> bool:
        maker = links.maker_of(request, right)
        if maker:
            act_as(maker)
        return maker is not None

    return rule


class ByRule(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        method = request.method.lower()
        if method == "options" or not hasattr(view, method):
            return True  # what this route has not is a 405 for everybody
        operation = getattr(view, "action", "get" if method == "head" else method)
        return any(rule(request, view) for rule in view.rules.get(operation, ()))


class Guarded:
    """For views. `rules`: what each action (of a view set) or method (of a view) asks for; no line, no access."""

    permission_classes = (ByRule,)
    rules: Mapping[str, tuple[Rule, ...]] = {}

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        raise NotFound(NOT_YOURS)
