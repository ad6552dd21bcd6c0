"""Is this field well-formed? And which fields an answer has: the earlier contract's, and `state`."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from sessions_app import heartbeat
from sessions_app.examples import (
    COMMAND,
    COVERAGE,
    ENDED,
    EVENT,
    MOVE,
    OUTCOME,
    RUNNING,
    START_KEY,
    TOLD,
    TOLD_OF_1970,
    TOLD_ONCE,
)
from sessions_app.models import (
    CANDIDATE_NAME_MAX_LENGTH,
    EVENT_TYPE_MAX_LENGTH,
    MESSAGE_MAX_LENGTH,
    SERVER,
    SOURCE_MAX_LENGTH,
    Event,
    Session,
)
from sessions_app.states import ReasonCode, State
from sessions_app.strict_fields import (
    DATA_MAX_BYTES,
    DATA_MAX_DEPTH,
    Flag,
    Identifier,
    Instant,
    Number,
    SmallObject,
    StartKey,
    Text,
    Whole,
)

DURATION_MAX_S = 24 * 3600
DURATION_RUNS_FORWARD = "How long it lasted, forward from `timestamp`: what is over is stamped where it began."
WHAT_IS_ODD = (
    "What is odd about its instants: `naive` was told without a zone, and taken for UTC; `future` is after it was "
    "received; `before_start`; `late` was received after the session's end."
)
DATA_IS_SMALL = f"What else to keep: at most {DATA_MAX_BYTES:,} bytes as JSON, nested at most {DATA_MAX_DEPTH} deep."
SEQUENCE_MAX = 2**53  # what a browser counts exactly
BATCH_MAX = 500
SAME_AGAIN = (
    "A random UUID (version 4), made for this start and told to nobody: whoever sends it again with the same name gets "
    "the same session with a token, for an hour and while that is open."
)
DETECTOR_MAX_LENGTH = 64
TO_CANDIDATE_MAX_LENGTH = 500


class OfACandidate(serializers.Serializer):
    """What every session has, also one that is imported."""

    candidate_name = Text(max_length=CANDIDATE_NAME_MAX_LENGTH)


@extend_schema_serializer(
    examples=[
        OpenApiExample("New session", {"candidate_name": "Ada Example"}),
        OpenApiExample("To be sent again", {"candidate_name": "Ada Example", "start_key": START_KEY}),
    ]
)
class NewSession(OfACandidate):
    """With a `start_key` of the client's own it can be sent again, and opens one session."""

    start_key = StartKey(required=False, allow_null=True, help_text=SAME_AGAIN)


class NewEvent(serializers.Serializer):
    """What every event has, also one that is imported."""

    event_type = Text(max_length=EVENT_TYPE_MAX_LENGTH)
    message = Text(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=MESSAGE_MAX_LENGTH
    )
    timestamp = Instant(required=False, allow_null=True)


class ReportedEvent(NewEvent):
    """An event as a client tells it. With an `id` of the client's own it can be sent again and is stored once."""

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
            raise serializers.ValidationError("Only the server's own events have this source.")
        return value


@extend_schema_serializer(
    examples=[
        OpenApiExample("Now", {"event_type": "looking_away"}),
        OpenApiExample("By the client's clock", {**TOLD, "sent_at": "2026-03-02T12:07:31.500000Z"}),
    ]
)
class SentEvent(ReportedEvent):
    """One alone, with the instant at which the client sent it, which tells how far its clock is off."""

    sent_at = Instant(required=False, allow_null=True)


class AsSent(serializers.JSONField):
    """Looked at later, and not here."""

    def run_validation(self, data: Any = None) -> Any:
        return data


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "One that is there once, sent twice, and one of 1970",
            {"sent_at": "2026-03-02T12:07:31.500000Z", "events": [TOLD, TOLD, TOLD_OF_1970]},
        )
    ]
)
class EventBatch(serializers.Serializer):
    """Events are looked at one by one, so that a bad one does not lose the others."""

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


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A beat",
            {
                "camera": True,
                "microphone": True,
                "screen": None,
                "recording": True,
                "detectors": ["face"],
                "sent_at": "2026-03-02T12:20:09.100000Z",
                "confirmed": [COMMAND["id"]],
            },
        )
    ]
)
class HeartbeatSerializer(serializers.Serializer):
    """How the client does: true, false, or null for what it does not use. `confirmed`: commands that it followed."""

    camera = Flag(required=False, allow_null=True, default=None)
    microphone = Flag(required=False, allow_null=True, default=None)
    screen = Flag(required=False, allow_null=True, default=None)
    recording = Flag(required=False, allow_null=True, default=None)
    detectors = serializers.ListField(child=Text(max_length=DETECTOR_MAX_LENGTH), required=False, max_length=20)
    sent_at = Instant(required=False, allow_null=True, default=None)
    confirmed = serializers.ListField(child=Text(max_length=36), required=False, max_length=200)


class CommandSerializer(serializers.Serializer):
    id = serializers.CharField()
    action = serializers.ChoiceField(choices=["pause", "resume", "terminate", "message"])
    message = serializers.CharField(allow_null=True)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices, allow_null=True)
    asked_at = serializers.DateTimeField()


class AskedSerializer(CommandSerializer):
    """For staff: who asked, and when the client confirmed."""

    asked_by = serializers.CharField()
    confirmed_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Asked to wait",
            {
                "state": "paused",
                "received_at": "2026-03-02T12:20:09Z",
                "clock_skew_ms": 100,
                "next_beat_s": 10,
                "commands": [COMMAND],
            },
        )
    ]
)
class HeartbeatAnswerSerializer(serializers.Serializer):
    state = serializers.ChoiceField(choices=State.choices)
    received_at = serializers.DateTimeField(help_text="By the server's clock.")
    clock_skew_ms = serializers.IntegerField(allow_null=True, help_text="The client's clock minus the server's.")
    next_beat_s = serializers.IntegerField(help_text="When the next beat is expected.")
    commands = CommandSerializer(many=True, help_text="What staff ask, until confirmed.")


@extend_schema_serializer(examples=[OpenApiExample("Technical", {"reason_code": "technical.network"})])
class Reason(serializers.Serializer):
    """Why staff act; `reason` is shown to the candidate."""

    reason_code = serializers.ChoiceField(choices=ReasonCode.choices, required=False, allow_null=True)
    reason = Text(required=False, allow_null=True, max_length=TO_CANDIDATE_MAX_LENGTH)


@extend_schema_serializer(
    examples=[OpenApiExample("Identity", {"reason_code": "examinee.identity", "reason": "Please call the office."})]
)
class NeededReason(Reason):
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices)


@extend_schema_serializer(examples=[OpenApiExample("To the candidate", {"message": "Please turn on the light."})])
class NewMessage(serializers.Serializer):
    message = Text(max_length=TO_CANDIDATE_MAX_LENGTH)


class MoveSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    from_state = serializers.ChoiceField(choices=State.choices)
    to_state = serializers.ChoiceField(choices=State.choices)
    actor_kind = serializers.CharField(help_text="`user`, `token`, `candidate`, `command` or `nobody`.")
    actor_name = serializers.CharField(allow_blank=True)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices, allow_null=True)
    reason = serializers.CharField(allow_null=True)


class CoverageSerializer(serializers.Serializer):
    """Shares of the sitting, 0 to 1; null for a signal that the client does not use."""

    heartbeat = serializers.FloatField()
    camera = serializers.FloatField(allow_null=True)
    microphone = serializers.FloatField(allow_null=True)
    screen = serializers.FloatField(allow_null=True)
    detectors = serializers.DictField(child=serializers.FloatField())


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
        OpenApiExample(
            "For who sees evidence",
            {
                **ENDED,
                "last_seen_at": "2026-03-02T12:41:58Z",
                "missing_since": None,
                "coverage": COVERAGE,
                "moves": [MOVE],
                "commands": [{**COMMAND, "asked_by": "petra", "confirmed_at": "2026-03-02T12:20:09Z"}],
                "events": [EVENT],
            },
        ),
        OpenApiExample("For candidates and others", RUNNING),
    ]
)
class SessionDetailSerializer(SessionSerializer):
    """`coverage` null: unknown, since this client never sent a heartbeat."""

    missing_since = serializers.SerializerMethodField()
    coverage = serializers.SerializerMethodField()
    moves = MoveSerializer(many=True, read_only=True)
    commands = AskedSerializer(many=True, read_only=True)
    events = EventSerializer(many=True, read_only=True)

    class Meta(SessionSerializer.Meta):
        sometimes = ("last_seen_at", "missing_since", "coverage", "moves", "commands", "events")
        fields = [*SessionSerializer.Meta.fields, *sometimes]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_missing_since(self, session: Session) -> str | None:
        since = heartbeat.missing_since(session)
        return since and serializers.DateTimeField().to_representation(since)

    @extend_schema_field(CoverageSerializer(allow_null=True))
    def get_coverage(self, session: Session) -> dict[str, Any] | None:
        covered = heartbeat.coverage_of(session)
        return covered and CoverageSerializer(covered).data

    def to_representation(self, session: Session) -> dict[str, Any]:
        session.moves, session.commands = session.moves or [], session.commands or []
        return super().to_representation(session)


class SessionListQuery(serializers.Serializer):
    """The filters of `GET /sessions`. Ranges are half-open: from ≤ start_time < before."""

    candidate_name = Text(required=False, max_length=CANDIDATE_NAME_MAX_LENGTH, help_text="The name begins so.")
    state = serializers.ChoiceField(required=False, choices=State.choices)
    started_from = Instant(required=False)
    started_before = Instant(required=False)
