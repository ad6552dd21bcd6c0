"""Is this field of an event well-formed? And which fields an event and the outcome of a batch have in answers."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from sessions_app.examples import EVENT, OUTCOME, TOLD, TOLD_OF_1970, WITH_ID
from sessions_app.models import EVENT_TYPE_MAX_LENGTH, MESSAGE_MAX_LENGTH, SERVER, SOURCE_MAX_LENGTH, Event
from sessions_app.strict_fields import (
    DATA_MAX_BYTES,
    DATA_MAX_DEPTH,
    Identifier,
    Instant,
    Number,
    SmallObject,
    Text,
    Whole,
)

DURATION_MAX_S = 24 * 3600
DURATION_RUNS_FORWARD = "How long it lasted, forward from `timestamp`, which is when it began."
WHAT_IS_ODD = (
    "What is unusual about its times: `naive` came without a zone and was taken for UTC; `future` is after it was "
    "received; `before_start` is before the session began; `late` was received after the session's end."
)
DATA_IS_SMALL = f"Further data to keep: at most {DATA_MAX_BYTES:,} bytes as JSON, nested at most {DATA_MAX_DEPTH} deep."
SEQUENCE_MAX = 2**53  # what a browser counts exactly
BATCH_MAX = 500


class NewEvent(serializers.Serializer):
    """What every event has, also one that is imported."""

    event_type = Text(max_length=EVENT_TYPE_MAX_LENGTH)
    message = Text(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=MESSAGE_MAX_LENGTH
    )
    timestamp = Instant(required=False, allow_null=True)


class ReportedEvent(NewEvent):
    """An event as a client reports it. With an `id` of the client's own it can be sent again and is stored once."""

    id = Identifier(required=False, allow_null=True)
    duration_s = Number(
        required=False, allow_null=True, min_value=0, max_value=DURATION_MAX_S, help_text=DURATION_RUNS_FORWARD
    )
    confidence = Number(required=False, allow_null=True, min_value=0, max_value=1)
    source = Text(required=False, allow_null=True, max_length=SOURCE_MAX_LENGTH)
    sequence = Whole(required=False, allow_null=True, min_value=0, max_value=SEQUENCE_MAX)
    data = SmallObject(required=False, allow_null=True, help_text=DATA_IS_SMALL)

    default_error_messages = {"null": "No data provided"}

    def validate_source(self, value: str | None) -> str | None:
        if value is not None and value.casefold() == SERVER:
            raise serializers.ValidationError("Only the server's own events may have this source.")
        return value


@extend_schema_serializer(
    examples=[
        OpenApiExample("Now", {"event_type": "looking_away"}),
        OpenApiExample("By the client's clock", {**TOLD, "sent_at": "2026-03-02T12:07:31.500000Z"}),
    ]
)
class SentEvent(ReportedEvent):
    """A single event, with the time at which the client sent it, which tells how far its clock is off."""

    sent_at = Instant(required=False, allow_null=True)


class AsSent(serializers.JSONField):
    """Looked at later, and not here."""

    def run_validation(self, data: Any = None) -> Any:
        return data


@extend_schema_serializer(
    examples=[
        OpenApiExample("Now", {"events": [{"event_type": "looking_away"}, {"event_type": "focus_lost"}]}),
        OpenApiExample(
            "One event sent twice, and one from 1970",
            {"sent_at": "2026-03-02T12:07:31.500000Z", "events": [WITH_ID, WITH_ID, TOLD_OF_1970]},
            description="With an `id` of your own; one that another session has is refused.",
        ),
    ]
)
class EventBatch(serializers.Serializer):
    """Events are checked one by one, so that a bad one does not lose the others."""

    sent_at = Instant(required=False, allow_null=True)
    events = serializers.ListField(
        child=AsSent(),
        min_length=1,
        max_length=BATCH_MAX,
        help_text="Each as `POST /sessions/{id}/events` takes it, without `sent_at`.",
    )


@extend_schema_serializer(examples=[OpenApiExample("Event", EVENT)])
class EventSerializer(serializers.ModelSerializer):
    data = serializers.DictField(allow_null=True)
    marks = serializers.SerializerMethodField(help_text=WHAT_IS_ODD)

    class Meta:
        model = Event
        fields = [
            "id",
            "event_type",
            "message",
            "timestamp",
            "occurred_at",
            "received_at",
            "clock_skew_ms",
            "duration_s",
            "confidence",
            "source",
            "sequence",
            "data",
            "marks",
        ]
        extra_kwargs = {"duration_s": {"help_text": DURATION_RUNS_FORWARD}}

    def get_marks(self, event: Event) -> list[str]:
        return event.marks or []


class StoredEvent(serializers.Serializer):
    index = serializers.IntegerField(help_text="Its place in the batch, from 0.")
    id = serializers.CharField()


class RejectedEvent(serializers.Serializer):
    index = serializers.IntegerField(help_text="Its place in the batch, from 0.")
    id = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # hides DRF's property of that name, which a schema does not need
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="With `invalid`: what is wrong, by field.",
    )


@extend_schema_serializer(examples=[OpenApiExample("One of each", OUTCOME)])
class BatchOutcome(serializers.Serializer):
    """What became of each event of a batch, by its place: not all have an id. `created` and `duplicate` are stored."""

    created = StoredEvent(many=True)
    duplicate = StoredEvent(many=True)
    rejected = RejectedEvent(many=True)
