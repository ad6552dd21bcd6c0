"""Who acts: known from the request that this thread answers, or from the command that this process runs."""

import ipaddress
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.db.models import TextChoices
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ActorKind(TextChoices):
    USER = "user"  # signed in, by the cookie of the admin
    TOKEN = "token"  # noqa: S105 - a machine, with the rights of the token's owner
    LINK = "link"  # whoever holds a signed link; named for the one who made it
    CANDIDATE = "candidate"
    NOBODY = "nobody"  # a request without a right of its own
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id`: of the account, token or session. `name`: of the account, with the token's label; or of the command."""

    kind: ActorKind
    id: str = ""
    name: str = ""


#: What the process was started for; manage.py and `make run` say it.
running_command: ContextVar[str] = ContextVar("running_command", default="python")
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


class ActorMiddleware:
    """Says which request this thread answers; whoever authenticates it in another way than by cookie calls `act_as`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _acting.set(None)
        _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.set(None)


def act_as(actor: Actor) -> None:
    """From here on to the end of this request."""
    _acting.set(actor)


def current_actor() -> Actor:
    request = _request.get()
    if request is None:
        return Actor(ActorKind.COMMAND, name=running_command.get())
    if acting := _acting.get():
        return acting
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return Actor(ActorKind.USER, id=str(user.pk), name=user.get_username())
    return Actor(ActorKind.NOBODY)


def current_address() -> str:
    request = _request.get()
    return client_address(request) if request else ""


def client_address(request: HttpRequest) -> str:
    """The client's IP address. Behind TRUSTED_PROXY, what that proxy added last to X-Forwarded-For: all before it is
    the client's own word. Without, that header is anybody's word and counts for nothing."""
    direct = request.META.get("REMOTE_ADDR", "")
    if not settings.TRUSTED_PROXY:
        return direct
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(forwarded))
    except ValueError:
        return direct
