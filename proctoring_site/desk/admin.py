"""The sessions in the admin, as the review desk shows them."""

from django.contrib import admin

from proctoring_site.desk.session_page import SessionPage
from reports_app.admin import WholeSessionAdmin
from sessions_app.models import Session


@admin.register(Session)
class DeskSessionAdmin(SessionPage, WholeSessionAdmin):
    class Media:
        css = {"all": ["desk/desk.css"]}
