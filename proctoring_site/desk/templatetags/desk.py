"""The ways between the pages of the desk, for every template of it."""

from typing import Any

from django import template
from django.urls import reverse

from proctoring_site.access.roles import Right, may

register = template.Library()

#: What is said, the page, and whose rights (any of them) lead there.
PAGES: tuple[tuple[str, str, tuple[Right, ...]], ...] = (
    ("Queue", "admin:sessions_app_session_changelist", (Right.SEE_SESSIONS, Right.SEE_RUNNING)),
)


@register.inclusion_tag("desk/nav.html", takes_context=True)
def desk_nav(context: dict[str, Any]) -> dict[str, Any]:
    """The pages that the reader may open; the one that is open is marked."""
    request = context["request"]
    pages = [(said, reverse(name)) for said, name, rights in PAGES if any(may(request.user, right) for right in rights)]
    return {"pages": [(said, url, url == request.path) for said, url in pages]}
