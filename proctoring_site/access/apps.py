from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "proctoring_site.access"
    label = "access"
    verbose_name = "Access"
