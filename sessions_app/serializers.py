"""Is this field well-formed? And which fields an answer has: the earlier contract's, and `state`."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
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

#: What the document of the API shows; its test asks for the same and compares.
EVENT = {
    "id": "0b1f9c3e-51f4-4f0e-9a55-6d1c1a3f0c11",
    "event_type": "focus_lost",
    "message": "window lost focus for 4 s",
    "timestamp": "2026-03-02T12:07:30.250000Z",
}
RUNNING = {
    "id": "8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21",
    "candidate_name": "Ada Example",
    "start_time": "2026-03-02T12:00:00Z",
    "end_time": None,
    "video_path": None,
    "state": "running",
}
ENDED = {
    **RUNNING,
    "end_time": "2026-03-02T12:42:00Z",
    "video_path": "videos/8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.webm",
    "state": "ended",
}
TOLD_ONCE = {
    "token": "pc.8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.1vwyDs.sLx0Gv3mJ1bJ8Qx0m2C7u0o7Zk8p1V5rT9yW4eN6aBc",
    "token_expires_at": "2026-03-03T12:00:00Z",
}


class Text(serializers.CharField):
    """Text only: DRF's field would turn a number into text, and hide the client's mistake."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:  # as it was sent, blanks and all
            self.fail("max_length", max_length=self.max_length)
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


@extend_schema_serializer(examples=[OpenApiExample("New session", {"candidate_name": "Ada Example"})])
class NewSession(serializers.Serializer):
    candidate_name = Text(max_length=CANDIDATE_NAME_MAX_LENGTH)


@extend_schema_serializer(
    examples=[
        OpenApiExample("Now", {"event_type": "looking_away"}),
        OpenApiExample("By the client's clock", {key: EVENT[key] for key in ("event_type", "message", "timestamp")}),
    ]
)
class NewEvent(serializers.Serializer):
    event_type = Text(max_length=EVENT_TYPE_MAX_LENGTH)
    message = Text(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=MESSAGE_MAX_LENGTH
    )
    timestamp = Instant(required=False, allow_null=True)


@extend_schema_serializer(examples=[OpenApiExample("Event", EVENT)])
class EventSerializer(serializers.ModelSerializer):
    class Meta:
        model = Event
        fields = ["id", "event_type", "message", "timestamp"]


@extend_schema_serializer(examples=[OpenApiExample("Ended, with a video", ENDED)])
class SessionSerializer(serializers.ModelSerializer):
    state = serializers.ChoiceField(choices=State.choices, read_only=True)

    class Meta:
        model = Session
        fields = ["id", "candidate_name", "start_time", "end_time", "video_path", "state"]


@extend_schema_serializer(examples=[OpenApiExample("Started", {**RUNNING, **TOLD_ONCE})])
class StartedSessionSerializer(SessionSerializer):
    token = serializers.CharField(read_only=True, help_text="For the candidate's browser; told only here.")
    token_expires_at = serializers.DateTimeField(read_only=True)

    class Meta(SessionSerializer.Meta):
        fields = [*SessionSerializer.Meta.fields, "token", "token_expires_at"]


@extend_schema_serializer(
    examples=[
        OpenApiExample("For who sees evidence", {**ENDED, "events": [EVENT]}),
        OpenApiExample("For candidates and others", RUNNING),
    ]
)
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
