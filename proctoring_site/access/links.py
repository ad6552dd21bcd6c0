"""Signed links: one stored file for whoever holds the link, for a few minutes, and no other file."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from proctoring_site.access.models import ApiToken
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.actors import Actor, ActorKind, current_actor

PARAMETER = "link"
SALT = "proctoring.link"


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: datetime


def make(request: HttpRequest, view_name: str, name: str) -> Link:
    """A link to the stored file that the view (its purpose) serves, in the name of whoever asks. LINK_MAX_AGE_S."""
    maker = current_actor()
    signature = signing.dumps([view_name, name, maker.id, maker.name], salt=SALT)
    url = request.build_absolute_uri(f"{reverse(view_name, args=[name])}?{urlencode({PARAMETER: signature})}")
    return Link(url, timezone.now() + timedelta(seconds=settings.LINK_MAX_AGE_S))


def maker_of(request: HttpRequest, right: Right) -> Actor | None:
    """Who made the link that this request follows; None without one, or with one for another file, view or time, or
    of somebody who is no longer let in, or has the right no more."""
    signature = request.GET.get(PARAMETER)
    if not signature:
        return None
    try:
        view_name, name, *maker = signing.loads(signature, salt=SALT, max_age=settings.LINK_MAX_AGE_S)
    except (signing.BadSignature, TypeError, ValueError):
        return None
    asked = request.resolver_match
    if (view_name, name) != (asked.view_name, asked.kwargs.get("name")):
        return None
    maker_id, maker_name = maker
    return Actor(ActorKind.LINK, id=maker_id, name=maker_name) if _may_still(maker_id, right) else None


def _may_still(maker_id: str, right: Right) -> bool:
    """Whether the account that made a link, or the token and its owner, could make it now. Without an id it was
    anybody, in an open API."""
    if not maker_id:
        return True
    accounts = get_user_model().objects
    maker = accounts.filter(pk=maker_id).first()
    if maker is None:
        token = ApiToken.objects.filter(pk=maker_id, revoked_at=None, expires_at__gt=timezone.now()).first()
        maker = token and accounts.filter(pk=token.owner_id).first()
    return may(maker, right)
