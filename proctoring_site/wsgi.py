"""The WSGI application that granian serves (Django runs eight times slower over ASGI: docs/decisions)."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core import signals
from django.core.cache import close_caches
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections, reset_queries

from proctoring_site import start_up


class UTF8Request(WSGIRequest):
    """Reads everything as UTF-8. Django would read the query by the charset that the client claims for the body, and
    one that is no text codec (`charset=rot13`) fails before any middleware could answer."""

    @property
    def encoding(self) -> None:
        return None  # for Django: its default

    @encoding.setter
    def encoding(self, claimed: str) -> None:
        pass


class Application(WSGIHandler):
    """Hands a whole body over at once. granian writes a list's bytes by itself; anything else it takes piece by piece,
    with a way back into Python for each and for the end (docs/performance.md has the figure)."""

    request_class = UTF8Request

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        response = super().__call__(environ, start_response)
        if getattr(response, "streaming", True):  # or the server's own wrapper of a file
            return response
        whole = [response.content]
        response.close()
        return whole


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
start_up.imports_begin()
start_up.set_up()
application = Application()
from proctoring_site.jobs import here  # noqa: E402 - needs the models, which are loaded now

# There is nothing to close: pymongo keeps its connections itself, the backend's close() does nothing, and no cache is
# used. Asked in each request, that was a tenth of Django's own share of a call (docs/performance.md).
for signal in (signals.request_started, signals.request_finished):
    signal.disconnect(close_old_connections)
signals.request_finished.disconnect(close_caches)
if not settings.DEBUG:  # nor are queries kept
    signals.request_started.disconnect(reset_queries)
start_up.imports_are_done()
here.start()
