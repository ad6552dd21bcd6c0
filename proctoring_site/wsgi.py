"""The WSGI application that granian serves (Django runs eight times slower over ASGI: docs/decisions)."""

import os
from io import StringIO

from django.conf import settings
from django.core import signals
from django.core.cache import close_caches
from django.core.handlers.wsgi import WSGIRequest
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries


class UTF8Request(WSGIRequest):
    """Reads everything as UTF-8. Django would read the query by the charset that the client claims for the body, and
    one that is no text codec (`charset=rot13`) fails before any middleware could answer."""

    @property
    def encoding(self) -> None:
        return None  # for Django: its default

    @encoding.setter
    def encoding(self, claimed: str) -> None:
        pass


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
application = get_wsgi_application()
from proctoring_site.jobs import here  # noqa: E402 - needs the models, which are loaded now

call_command("check", stdout=StringIO())  # settings that contradict each other stop the start, whoever starts it
application.request_class = UTF8Request
# There is nothing to close: pymongo keeps its connections itself, the backend's close() does nothing, and no cache is
# used. Asked in each request, that was a tenth of Django's own share of a call (docs/performance.md).
for signal in (signals.request_started, signals.request_finished):
    signal.disconnect(close_old_connections)
signals.request_finished.disconnect(close_caches)
if not settings.DEBUG:  # nor are queries kept
    signals.request_started.disconnect(reset_queries)
here.start()
