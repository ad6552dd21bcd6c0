from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "sessions_app.review"
    label = "review"
    verbose_name = "Review"

    def ready(self) -> None:
        from sessions_app.review import rescoring, scores, second_review  # noqa: F401, PLC0415 - their jobs, once the models are loaded
