"""The admin as a whole: who may try to log in how often, and that what is not there is a 404 on every page of it."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, NoReturn

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import URLPattern, URLResolver
from rest_framework.exceptions import Throttled

from proctoring_site.access import login, throttle
from proctoring_site.audit.actors import client_address


class Site(admin.AdminSite):
    """One address may try only so many logins a minute, of whichever names."""

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            try:
                throttle.count("login", client_address(request), per_minute=settings.LOGIN_PER_MINUTE)
            except Throttled as throttled:
                return login.too_many(request, login.THROTTLED, wait=timedelta(seconds=throttled.wait))
        return super().login(request, extra_context)

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        """Whose login expired before a form was sent comes back from the login to the form's address, by GET."""

        @wraps(view)
        def told(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
            answer = view(request, *args, **options)
            if isinstance(answer, HttpResponseNotAllowed) and request.method == "GET":
                page = render(request, "proctoring_site/nothing_sent.html", status=answer.status_code)
                page["Allow"] = answer["Allow"]
                return page
            return answer

        return super().admin_view(told, cacheable)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without the way to an object's page outside the admin: ours have none, and that view fails at ids which
        MongoDB cannot have."""
        return [url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site"]

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Whatever admin it is, Django's own of users and groups, too."""
        options["_get_obj_does_not_exist_redirect"] = _not_there
        super().register(model_or_iterable, admin_class, **options)


def _not_there(model_admin: admin.ModelAdmin, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
    """Django would lead to the start page: whoever may not see an object could tell by that whether there is one."""
    raise Http404
