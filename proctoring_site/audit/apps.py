from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "proctoring_site.audit"
    label = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from proctoring_site.audit import accounts  # noqa: F401, PLC0415 - listens once the models are loaded
