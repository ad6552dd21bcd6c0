"""Fields that take JSON of one type and nothing that could be turned into it, within limits."""

import json
import re
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from rest_framework import serializers
from rest_framework.settings import ISO_8601
from rest_framework.utils import humanize_datetime

from proctoring_site.mongo_engine.documents import is_storable

#: No sitting was before, none will be after; keeps instants that overflow a time zone or BSON away.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
DATA_MAX_BYTES, DATA_MAX_DEPTH = 2048, 4


class Text(serializers.CharField):
    """Text only: DRF's field would turn a number into text, and hide the client's mistake."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:  # as it was sent, blanks and all
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    """A JSON number: DRF's field would take "0.9" and true for one."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        value = super().to_internal_value(data)
        if not isfinite(value):
            self.fail("invalid")
        return value


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not (isinstance(data, int) or (isinstance(data, float) and data.is_integer())):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false; DRF's field would take "on" and 1 as well."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Instant(serializers.DateTimeField):
    """ISO 8601 text; without a zone it means UTC. Between the years 2000 and 2100."""

    default_error_messages = {
        "not_text": "Not a valid string.",
        "out_of_range": "The instant must lie between the years 2000 and 2100.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("not_text")
        if not value.isascii() or "\0" in value:  # Python reads digits of any script, and up to a null character
            self.fail("invalid", format=humanize_datetime.datetime_formats([ISO_8601]))
        try:
            instant = super().to_internal_value(value).astimezone(UTC)
        except OverflowError:
            self.fail("out_of_range")
        if not EARLIEST <= instant < LATEST:
            self.fail("out_of_range")
        return instant


class Identifier(Text):
    """A UUID as text with its dashes; small letters come out."""

    PATTERN = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"

    default_error_messages = {"not_a_uuid": "Not a UUID."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if re.fullmatch(self.PATTERN, text) is None:
            self.fail("not_a_uuid")
        return text.lower()


class StartKey(Identifier):
    """One of random digits: of the other versions parts can be known, such as when it was made."""

    PATTERN = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$"

    default_error_messages = {"not_a_uuid": "Not a random UUID (version 4)."}


def is_flat(value: Any, depth: int = DATA_MAX_DEPTH) -> bool:
    """Whether lists and objects are nested at most so deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return depth > 0 and all(is_flat(inner, depth - 1) for inner in value)


def is_short(value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="replace")) <= DATA_MAX_BYTES


class SmallObject(serializers.DictField):
    """A JSON object of at most DATA_MAX_BYTES as compact JSON, nested at most DATA_MAX_DEPTH deep."""

    default_error_messages = {
        "too_large": f"More than {DATA_MAX_BYTES} bytes.",
        "too_deep": f"Nested more than {DATA_MAX_DEPTH} deep.",
        "not_storable": "Contains half a surrogate, a null character in a name, or an integer of more than 64 bits.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if not is_flat(value):
            self.fail("too_deep")
        if not is_short(value):
            self.fail("too_large")
        if not is_storable(value):
            self.fail("not_storable")
        return value
