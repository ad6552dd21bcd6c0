"""Is this field well-formed? And which fields an answer has: the earlier contract's, and `state`."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from sessions_app.models import (
    CANDIDATE_NAME_MAX_LENGTH,
    EVENT_TYPE_MAX_LENGTH,
    MESSAGE_MAX_LENGTH,
    Event,
    Session,
    State,
)

#: No sitting was before, none will be after; keeps instants that overflow a time zone or BSON away.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class Text(serializers.CharField):
    """Text only: DRF's field would turn a number into text, and hide the client's mistake."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Instant(serializers.DateTimeField):
    """ISO 8601 text; without a zone it means UTC. Between the years 2000 and 2100."""

    default_error_messages = {
        "not_text": "Not a valid string.",
        "out_of_range": "The instant must lie between the years 2000 and 2100.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("not_text")
        try:
            instant = super().to_internal_value(value).astimezone(UTC)
        except OverflowError:
            self.fail("out_of_range")
        if not EARLIEST <= instant < LATEST:
            self.fail("out_of_range")
        return instant


class NewSession(serializers.Serializer):
    candidate_name = Text(max_length=CANDIDATE_NAME_MAX_LENGTH)


class NewEvent(serializers.Serializer):
    event_type = Text(max_length=EVENT_TYPE_MAX_LENGTH)
    message = Text(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=MESSAGE_MAX_LENGTH
    )
    timestamp = Instant(required=False, allow_null=True)


class EventSerializer(serializers.ModelSerializer):
    class Meta:
        model = Event
        fields = ["id", "event_type", "message", "timestamp"]


class SessionSerializer(serializers.ModelSerializer):
    state = serializers.ChoiceField(choices=State.choices, read_only=True)

    class Meta:
        model = Session
        fields = ["id", "candidate_name", "start_time", "end_time", "video_path", "state"]


class SessionDetailSerializer(SessionSerializer):
    events = EventSerializer(many=True, read_only=True)

    class Meta(SessionSerializer.Meta):
        fields = [*SessionSerializer.Meta.fields, "events"]


class SessionListQuery(serializers.Serializer):
    """The filters of `GET /sessions`. Ranges are half-open: from ≤ start_time < before."""

    candidate_name = Text(required=False, max_length=CANDIDATE_NAME_MAX_LENGTH, help_text="The name begins so.")
    state = serializers.ChoiceField(required=False, choices=State.choices)
    started_from = Instant(required=False)
    started_before = Instant(required=False)
