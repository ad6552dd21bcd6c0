"""The ways between the pages of the desk, for every template of it."""

from collections.abc import Callable
from typing import Any

from django import template
from django.urls import reverse

from proctoring_site.access.roles import may_see_sessions
from proctoring_site.desk import live, policy_pages, queue_filters

register = template.Library()

LIST = "admin:sessions_app_session_changelist"
#: What is said, the page, and whether somebody may open it.
PAGES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("Queue", LIST, queue_filters.may_review),
    ("Sessions", LIST, lambda user: may_see_sessions(user) and not queue_filters.may_review(user)),
    ("Live board", "admin:sessions_app_session_live", live.may_watch),
    ("Overview", "admin:sessions_app_session_overview", queue_filters.may_review),
    ("Policies", "admin:review_policyversion_changelist", policy_pages.may_see),
)


@register.inclusion_tag("desk/nav.html", takes_context=True)
def desk_nav(context: dict[str, Any]) -> dict[str, Any]:
    """The pages that the reader may open; the one that is open is marked."""
    request = context["request"]
    pages = [(said, reverse(name)) for said, name, is_open_to in PAGES if is_open_to(request.user)]
    within = max((url for _, url in pages if request.path.startswith(url)), key=len, default=None)
    return {"pages": [(said, url, url == within) for said, url in pages]}
