from django.apps import AppConfig


class MediaAppConfig(AppConfig):
    name = "media_app"
    verbose_name = "Videos"

    def ready(self) -> None:
        from media_app import moving, processing  # noqa: F401, PLC0415 - its tasks, for whoever runs them
