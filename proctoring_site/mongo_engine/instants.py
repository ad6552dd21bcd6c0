"""Instants written as text, as the earlier service's documents may hold them."""

from datetime import UTC, datetime, timedelta
from typing import Any

#: What BSON's instants are whole numbers of.
MILLISECOND = timedelta(milliseconds=1)


def parse_instant(text: Any) -> datetime | None:
    """ISO 8601 text as an aware instant in UTC, cut to BSON's milliseconds; None for whatever is not one.

    Text without an offset means UTC, a date alone its midnight. Never raises.
    """
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip().upper())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # not ISO 8601, or beyond the years 1 to 9999 once in UTC
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant_of(value: Any) -> datetime | None:
    """What a field of a raw document says, with its zone: pymongo reads dates as UTC without saying so; or text."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else parse_instant(value)


def naive_utc(at: datetime) -> datetime:
    """As a raw document holds it: UTC without saying so."""
    return at.astimezone(UTC).replace(tzinfo=None)
