"""The page of one session: player, timeline, incidents, score, decision."""

from django.contrib import admin


class SessionPage(admin.ModelAdmin):
    """What the desk adds to the page of a session; admin.py mixes it into the sessions of the admin."""
