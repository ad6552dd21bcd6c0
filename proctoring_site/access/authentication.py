"""Who calls the API: a candidate or a machine by its token, staff by the cookie of the admin, or nobody.

`request.user` is then a Candidate, an account, Anybody (OPEN_API), or None.
"""

from copy import copy
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from proctoring_site.access import api_tokens, candidate_token, throttle
from proctoring_site.audit.actors import Actor, ActorKind, act_as, client_address

SCHEME = "Bearer"
INVALID = "The token is not valid: it is forged, altered, expired or revoked."
NOT_BEARER = "The header contains a token, but is not in the form `Authorization: Bearer …`."
OURS = (candidate_token.PREFIX, api_tokens.PREFIX)


class Anybody:
    """Every caller, with every right of the API, while OPEN_API is on. No account: the admin knows nothing of it."""

    pk = None
    is_authenticated = is_active = is_staff = True

    def has_perm(self, right: str) -> bool:
        return True


class OpenToAnybody(BaseAuthentication):
    """First, so that in an open API no token or cookie, however stale, makes a difference."""

    def authenticate(self, request: Request) -> tuple[Anybody, None] | None:
        if not settings.OPEN_API:
            return None
        act_as(Actor(ActorKind.NOBODY))
        return Anybody(), None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer …`, a candidate's or a machine's. A bad one is a 401, whatever it asked for."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == SCHEME.lower():
            return self.by_token(request, token.strip())
        return self._without_the_word(request, token.strip() or scheme)

    def _without_the_word(self, request: Request, text: str) -> None:
        """Whoever forgot it, or wrote another, would be nobody and be told that there is nothing: a client drops its
        events at that answer, and keeps them at this one. What is no token of ours is for something in between."""
        if text.startswith(OURS):
            count_nobody(request)
            raise AuthenticationFailed(NOT_BEARER, code="invalid_token")

    def by_token(self, request: Request, token: str) -> tuple[Any, str]:
        read = self._candidate if token.startswith(candidate_token.PREFIX) else self._machine
        caller = read(token) if token.isascii() else None  # ours are; half a surrogate could not even be hashed
        if caller is None:
            count_nobody(request)
            raise AuthenticationFailed(INVALID, code="invalid_token")
        return caller, token

    def _candidate(self, token: str) -> candidate_token.Candidate | None:
        candidate = candidate_token.read(token)
        if candidate:
            act_as(Actor(ActorKind.CANDIDATE, id=candidate.session_id))
        return candidate

    def _machine(self, text: str) -> Any:
        token = api_tokens.find(text)
        if token is None:
            return None
        act_as(Actor(ActorKind.TOKEN, id=str(token.pk), name=f"{token.name} of {token.owner.get_username()}"))
        return token.owner

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class TokenInBody(BearerToken):
    """For a beacon, which can send no header: `token` in a JSON object of the type text/plain. The body of such a
    request is read first, and is of bounded size."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        if settings.OPEN_API or not (request.content_type or "").startswith("text/plain"):
            return None
        try:
            told = request.data
        except APIException:  # it is no JSON, or too large, and names nobody
            count_nobody(request)
            raise
        token = told.get("token") if isinstance(told, dict) else None
        return self.by_token(request, token) if isinstance(token, str) else None


class StaffCookie(SessionAuthentication):
    """Signed in at the admin; what changes something needs the CSRF token as well."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        return found if found and found[0].is_staff else None

    def enforce_csrf(self, request: Request) -> None:
        """By the header alone: Django would look for the token in the body first, and read a whole video for it."""
        without_body = copy(request._request)
        without_body._post, without_body._files = QueryDict(), MultiValueDict()
        super().enforce_csrf(without_body)


class Nobody(BaseAuthentication):
    """Last: a call without a right of its own, of which one address may make only so many.

    A view's `counted_apart` names the actions that it counts itself, by a limit of their own.
    """

    def authenticate(self, request: Request) -> None:
        view = request.parser_context.get("view")
        if getattr(view, "action", None) not in getattr(view, "counted_apart", ()):
            count_nobody(request)


def count_nobody(request: Request) -> None:
    throttle.count("nobody", client_address(request), per_minute=settings.ANONYMOUS_PER_MINUTE)
