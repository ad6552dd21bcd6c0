"""The sessions in the admin, as the review desk shows them."""

from django.contrib import admin
from django.urls import URLPattern

from proctoring_site.desk import bulk, live, overview, policy_pages
from proctoring_site.desk.queue import QueuePage
from proctoring_site.desk.session_page import SessionPage
from reports_app.admin import WholeSessionAdmin
from sessions_app.models import Session

PolicyAdmin = policy_pages.PolicyAdmin  # registers itself; here, since Django looks into this module


@admin.register(Session)
class DeskSessionAdmin(SessionPage, QueuePage, WholeSessionAdmin):
    actions = [*bulk.QUESTIONS, *WholeSessionAdmin.actions, "assign_sessions", "pass_clean_sessions"]

    def get_urls(self) -> list[URLPattern]:
        return [*live.urls(self), *overview.urls(self), *super().get_urls()]

    class Media:
        css = {"all": ["desk/desk.css"]}
