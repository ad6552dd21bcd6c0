from django.apps import AppConfig


class ReportsAppConfig(AppConfig):
    name = "reports_app"
    verbose_name = "Reports"

    def ready(self) -> None:
        from media_app import moving  # noqa: PLC0415 - needs the models, as does the next one
        from reports_app import services  # noqa: PLC0415

        moving.SESSION_OF["reports"] = services.session_id_of
