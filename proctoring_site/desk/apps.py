from django.apps import AppConfig


class DeskConfig(AppConfig):
    """Pages only: what they show and change belongs to the apps below."""

    name = "proctoring_site.desk"
    label = "desk"
    verbose_name = "Review desk"
