"""Is this event plainly well-formed? Then what it says, as its serializer would; anything else is left to that one.

What it buys: DRF walks ten fields with some twenty calls each, which was most of a batch's time (docs/performance.md
has the figures). Nearly every event that a browser sends is plain, and told so by a handful of comparisons. There is
no second set of rules for clients: whatever is not plain goes to the serializer, which alone refuses, and a property
test holds that the two agree wherever this one has an answer.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from proctoring_site.mongo_engine.documents import is_storable
from sessions_app.event_serializers import DURATION_MAX_S, SEQUENCE_MAX
from sessions_app.models import EVENT_TYPE_MAX_LENGTH, MESSAGE_MAX_LENGTH, SERVER, SOURCE_MAX_LENGTH
from sessions_app.strict_fields import EARLIEST, LATEST, Identifier, is_flat, is_short

UTC_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}(?:\d{3})?)?Z", re.ASCII)
UUID = re.compile(Identifier.PATTERN)


class _NotPlain(Exception):
    pass


def plain_event(raw: Any) -> dict[str, Any] | None:
    """The validated values of an event, `sent_at` among them where it is told; None: ask the serializer."""
    if type(raw) is not dict or "event_type" not in raw:
        return None
    told = {}
    try:
        for name, value in raw.items():
            if check := CHECKS.get(name):
                told[name] = value if value is None and name != "event_type" else check(value)
    except (_NotPlain, ValueError):
        return None
    return told


def _line(max_length: int) -> Callable[[Any], str]:
    """Printable text that trimming would not change; no control characters or halves of surrogates are printable."""

    def check(value: Any) -> str:
        if (
            type(value) is str
            and 0 < len(value) <= max_length
            and value.isprintable()
            and value[0] != " "
            and value[-1] != " "
        ):
            return value
        raise _NotPlain

    return check


_short_line = _line(SOURCE_MAX_LENGTH)


def _source(value: Any) -> str:
    if _short_line(value).casefold() != SERVER:
        return value
    raise _NotPlain


def _text(value: Any) -> str:
    if type(value) is str and len(value) <= MESSAGE_MAX_LENGTH and value.isprintable():
        return value
    raise _NotPlain


def _number(most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if type(value) in {float, int} and 0 <= value <= most:
            return float(value)
        raise _NotPlain

    return check


def _sequence(value: Any) -> int:
    if type(value) is int and 0 <= value <= SEQUENCE_MAX:
        return value
    raise _NotPlain


def _instant(value: Any) -> datetime:
    if type(value) is str and UTC_INSTANT.fullmatch(value):
        at = datetime.fromisoformat(value)
        if EARLIEST <= at < LATEST:
            return at
    raise _NotPlain


def _id(value: Any) -> str:
    if type(value) is str and UUID.fullmatch(value):
        return value.lower()
    raise _NotPlain


def _data(value: Any) -> dict[str, Any]:
    if type(value) is dict and is_flat(value) and is_short(value) and is_storable(value):
        return value
    raise _NotPlain


CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "event_type": _line(EVENT_TYPE_MAX_LENGTH),
    "message": _text,
    "timestamp": _instant,
    "id": _id,
    "duration_s": _number(DURATION_MAX_S),
    "confidence": _number(1),
    "source": _source,
    "sequence": _sequence,
    "data": _data,
    "sent_at": _instant,
}
