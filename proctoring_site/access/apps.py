from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "proctoring_site.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from proctoring_site.access import kept_tokens  # noqa: F401, PLC0415 - listens once the models are loaded
