"""Pages of a list by what stood last on the page before: the five-hundredth costs as the first.

The order is one of an index, and each part of what follows is one range of it.
"""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

#: Fields as `order_by` names them; the last is the id, so that the order is total. Only descending ones may be None,
#: and None comes last, as MongoDB sorts.
Order = Sequence[str]
AFTER, BEFORE = "after", "before"


class BadCursor(ValueError):
    """The text is no cursor of this list."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of the list. `next` and `previous`: cursors to the pages beside it; None: there is none."""

    rows: list[Model]
    next: str | None
    previous: str | None


def page_of(queryset: QuerySet, order: Order, *, size: int, after: str = "", before: str = "") -> Page:
    """The page after a cursor, or before one, or the first. Raises BadCursor."""
    backwards = bool(before) and not after
    asked = order if not backwards else [_turned(name) for name in order]
    cursor = before if backwards else after
    found = rows_after(queryset, asked, _read(cursor, order) if cursor else None, count=size + 1)
    rows, is_more = found[:size], len(found) > size
    if backwards:
        rows.reverse()
    has_next, has_previous = (bool(cursor), is_more) if backwards else (is_more, bool(cursor))
    return Page(
        rows,
        next=cursor_of(rows[-1], order) if rows and has_next else None,
        previous=cursor_of(rows[0], order) if rows and has_previous else None,
    )


def pieces_of(queryset: QuerySet, order: Order, *, size: int) -> Iterator[list[Model]]:
    """All of it, so many rows at a time: however long the list, one piece is in memory. One cursor over all would do,
    but the driver fetches 16 MB of it at a time, and decodes them whole."""
    values: list[Any] | None = None
    while rows := rows_after(queryset, order, values, count=size):
        yield rows
        if len(rows) < size:
            return
        values = [_value(rows[-1], name) for name in order]


def rows_after(queryset: QuerySet, order: Order, values: Sequence[Any] | None, *, count: int) -> list[Model]:
    """Range by range, until there are enough; most often the first has them all."""
    ordered = queryset.order_by(*order)
    rows: list[Model] = []
    for part in parts_after(order, values) if values else [Q()]:
        rows += ordered.filter(part)[: count - len(rows)]
        if len(rows) == count:
            break
    return rows


def cursor_of(row: Model, order: Order) -> str:
    told = [_told(_value(row, name)) for name in order]
    return urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def parts_after(order: Order, values: Sequence[Any]) -> Iterator[Q]:
    """What comes after the row with these values, as consecutive parts, each one range of an index. All of them in one
    `$or` read up to six times the page, with a filter beside."""
    for place in reversed(range(len(order))):
        same = Q()
        for name, value in zip(order[:place], values[:place], strict=True):
            same &= _is(name.lstrip("-"), value)
        for beyond in _beyond(order[place], values[place]):
            yield same & beyond


def _beyond(name: str, value: Any) -> Iterator[Q]:
    field = name.lstrip("-")
    if not name.startswith("-"):
        yield Q(**{f"{field}__isnull": False}) if value is None else Q(**{f"{field}__gt": value})
    elif value is not None:
        yield Q(**{f"{field}__lt": value})
        if field != "id":
            yield Q(**{f"{field}__isnull": True})


def _is(field: str, value: Any) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _value(row: Model, name: str) -> Any:
    return getattr(row, name.lstrip("-"))


def _told(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _read(cursor: str, order: Order) -> list[Any]:
    try:
        told = json.loads(b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(told, list) or len(told) != len(order):
            raise BadCursor(cursor)
        values = [datetime.fromisoformat(v["at"]).astimezone(UTC) if isinstance(v, dict) else v for v in told]
        json.dumps(told, ensure_ascii=False).encode()  # fails for half of a surrogate pair, as MongoDB would
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadCursor(cursor) from error
    expected = {"id": str, "queue_rank": int, "start_time": (datetime, type(None))}
    if not all(isinstance(v, expected[name.lstrip("-")]) for name, v in zip(order, values, strict=True)):
        raise BadCursor(cursor)
    return values
