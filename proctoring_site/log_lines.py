"""How a log line looks, and what it may say: JSON or text, always with the id of the request that it belongs to.

Imported by the logging configuration, so before any app is loaded.
"""

import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from pymongo.errors import BulkWriteError, WriteError

#: Set when a request begins (calls/access_log.py) and kept until the thread's next one: what is logged while a body is
#: streamed, after the middleware has ended, still belongs to the request. Each of granian's threads has its own.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

NO_ROUTE = "none"
ANCHOR, GROUP, CONVERTER = re.compile(r"[\^$\\]"), re.compile(r"\(\?P<(\w+)>[^()]*\)"), re.compile(r"<(?:\w+:)?(\w+)>")


def route_of(request: HttpRequest) -> str:
    """The pattern that the path matched, as `/sessions/{pk}/events`. Never the path: anything can stand in that."""
    if request.resolver_match:
        return readable(request.resolver_match.route)
    return f"{settings.STATIC_URL}{{file}}" if request.path.startswith(settings.STATIC_URL) else NO_ROUTE


@cache
def readable(route: str) -> str:
    """Django's spelling of a route, a regular expression or not, as the README spells it."""
    return "/" + CONVERTER.sub(r"{\1}", GROUP.sub(r"{\1}", ANCHOR.sub("", route)))


class RequestOnly(logging.Filter):
    """Gives each record its request's id, and takes the path out of what Django logs of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get() or "-"
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            record.args = tuple(route_of(request) if arg == request.path else arg for arg in record.args)
        return True


class NoRepetition(logging.Filter):
    """For django.request, which repeats what the access line has said of every status from 400 on. The traces of
    defects stay; that of a refusal, which a page of the admin raises as an error, says nothing more."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) and record.levelno >= logging.ERROR


class NoTrace(logging.Filter):
    """Of what a stranger causes at will and the sentence says whole: a Host that is not ours, a filter that a list of
    the admin has not. Django has a logger for each (`django.security.DisallowedHost`)."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None
        return True


class Traces(logging.Formatter):
    """The base of both. Of a write that was refused: without the errors' own text, which quotes its documents."""

    def formatException(self, ei: Any) -> str:
        chain = list(_origins(ei[1]))
        if not any(isinstance(error, BulkWriteError | WriteError) for error in chain):
            return super().formatException(ei)
        return "\n".join("".join(_without_text(error)) for error in reversed(chain))


def _origins(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _without_text(error: BaseException) -> list[str]:
    frames = traceback.format_tb(error.__traceback__)
    kind, code = type(error), getattr(error, "code", None)
    return ["Traceback (most recent call last):\n", *frames, f"{kind.__module__}.{kind.__qualname__}, code {code}"]


class TextLine(Traces):
    """For people: instant in UTC, level, logger, [request id], message, and `fields` of a record as name=value."""

    converter = time.gmtime  # Django makes local time UTC, but not in the launcher, which has only its settings

    def __init__(self) -> None:
        layout = "{asctime} {levelname} {name} [{request_id}]: {message}"
        super().__init__(layout, style="{", defaults={"request_id": "-"})

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in getattr(record, "fields", {}).items())
        return super().formatMessage(record) + fields


class JSONLine(Traces):
    """For machines: one object a line. `fields` of a record become keys of it; a trace is one string."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
