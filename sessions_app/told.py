"""What a client told, well-formed or refused by field.

Serializers are kept: DRF copies all fields whenever one is made, which costs more than the whole check. They hold no
state of a request; `run_validation` takes and gives values.
"""

from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from sessions_app.event_serializers import ReportedEvent, SentEvent
from sessions_app.quick_check import plain_event
from sessions_app.reported import Reported

_one_of_many, _alone = ReportedEvent(), SentEvent()


def sent_event(raw: Any) -> tuple[Reported, Any]:
    """An event sent alone, and its `sent_at` or None. Raises ValidationError by field."""
    values = plain_event(raw)
    if values is None:
        values = validated(_alone, raw)
        return _reported(raw, values), values.get("sent_at")
    sent_at = values.pop("sent_at", None)
    return Reported(is_storable=True, **values), sent_at


def event_of_batch(raw: Any) -> Reported:
    """Raises ValidationError by field."""
    values = plain_event(raw)
    if values is None:
        return _reported(raw, validated(_one_of_many, raw))
    values.pop("sent_at", None)
    return Reported(is_storable=True, **values)


def validated(serializer: Serializer, raw: Any) -> dict[str, Any]:
    """By a serializer that is kept. Raises ValidationError by field."""
    try:
        return serializer.run_validation(raw)
    except ValidationError as error:
        if isinstance(error.detail, dict):
            raise
        raise ValidationError({"non_field_errors": error.detail}) from error


def _reported(raw: Any, values: dict[str, Any]) -> Reported:
    told = {name: value for name, value in values.items() if name != "sent_at"}
    is_naive = told.get("timestamp") is not None and parse_datetime(raw["timestamp"]).tzinfo is None
    return Reported(is_naive=is_naive, is_storable=True, **told)
