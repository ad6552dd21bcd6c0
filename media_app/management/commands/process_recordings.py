from typing import Any

from django.core.management.base import BaseCommand

from media_app import processing


class Command(BaseCommand):
    help = "Queue every recording that arrived and was not looked at yet; for cron, safe to run at any time."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{processing.queue_all()} recordings are queued.")
