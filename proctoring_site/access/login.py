"""Logging in at the admin: how many failures lock a name, what one is told then. How many tries: admin_site.py.

django-axes refuses logins and counts failures; this says how it counts, and what it answers.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from math import ceil
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from proctoring_site.access import throttle
from proctoring_site.audit.actors import client_address

logger = logging.getLogger(__name__)

LOCKED = "Too many logins with this user name have failed from your address."
THROTTLED = "Too many logins have been attempted from your address."
#: What axes would keep of a request: with what a browser sent goes the CSRF token, and whatever else was typed.
NOT_KEPT: Mapping[str, str] = dict.fromkeys(("user_agent", "http_accept", "path_info", "get_data", "post_data"), "")


class LoginFailures(AxesDatabaseHandler):
    """One number per user name and address, however many browsers; and nothing else of what was sent."""

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: HttpRequest, **kwargs: Any) -> None:
        if request.axes_locked_out:  # nobody looked at the password, and the lock must end whoever goes on trying
            return
        self.clean_expired_user_attempts(request, credentials)
        pair = {"username": get_client_username(request, credentials), "ip_address": request.axes_ip_address}
        AccessAttempt.objects.get_or_create(**pair, defaults={"failures_since_start": 0, **NOT_KEPT})
        AccessAttempt.objects.filter(**pair).update(  # one atomic step: failures at the same moment both count
            failures_since_start=F("failures_since_start") + 1, attempt_time=request.axes_attempt_time
        )
        if self.is_locked(request, credentials):
            request.axes_locked_out = True
            logger.warning("login locked after %s failures with one name from one address", settings.AXES_FAILURE_LIMIT)


def address_of(request: HttpRequest) -> str:
    """As the throttle counts: the addresses of one IPv6 subscriber are one, written as the first of them."""
    return throttle.network_of(client_address(request)).partition("/")[0]


def locked(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """In place of the login form, to whoever just failed once too often or tries while it is locked."""
    return too_many(request, LOCKED, wait=settings.AXES_COOLOFF_TIME)


def too_many(request: HttpRequest, sentence: str, *, wait: timedelta) -> HttpResponse:
    """429 as a page that looks like the login. `wait`: at most so long."""
    minutes = ceil(wait / timedelta(minutes=1))
    context = {**admin.site.each_context(request), "title": "Try again later", "sentence": sentence, "minutes": minutes}
    answer = render(request, "proctoring_site/too_many_logins.html", context, status=429)
    answer.headers["Retry-After"] = str(ceil(wait.total_seconds()))
    return answer
