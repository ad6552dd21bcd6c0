"""Is this field well-formed? And which fields an answer has: the earlier contract's, and `state`.

Of events: event_serializers.py.
"""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from sessions_app import heartbeat
from sessions_app.event_serializers import EventSerializer
from sessions_app.examples import COMMAND, COVERAGE, ENDED, EVENT, MOVE, RUNNING, TOLD_ONCE
from sessions_app.models import CANDIDATE_NAME_MAX_LENGTH, Session
from sessions_app.states import ReasonCode, State
from sessions_app.strict_fields import Flag, Instant, StartKey, Text

SAME_AGAIN = (
    "A random UUID (version 4), made for this start and kept secret: whoever sends it again with the same name gets "
    "the same session with a token, for an hour and while that is open."
)
DETECTOR_MAX_LENGTH = 64
TO_CANDIDATE_MAX_LENGTH = 500


class OfACandidate(serializers.Serializer):
    """What every session has, also one that is imported."""

    candidate_name = Text(max_length=CANDIDATE_NAME_MAX_LENGTH)


# Without a key: all who try the example would be given one session.
@extend_schema_serializer(examples=[OpenApiExample("New session", {"candidate_name": "Ada Example"})])
class NewSession(OfACandidate):
    """With a `start_key` of the client's own it can be sent again, and opens one session."""

    start_key = StartKey(required=False, allow_null=True, help_text=SAME_AGAIN)


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
    """How the client is: true, false, or null for what it does not use. `confirmed`: commands that it has followed."""

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
    next_beat_s = serializers.IntegerField(help_text="In how many seconds the next heartbeat is expected.")
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
    """Shares of the session's time, 0 to 1; null for a signal that the client does not use."""

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
    token = serializers.CharField(read_only=True, help_text="For the candidate's browser; shown only once.")
    token_expires_at = serializers.DateTimeField(read_only=True)

    class Meta(SessionSerializer.Meta):
        fields = [*SessionSerializer.Meta.fields, "token", "token_expires_at"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "For those who may see evidence",
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

    candidate_name = Text(required=False, max_length=CANDIDATE_NAME_MAX_LENGTH, help_text="Names that begin with this.")
    state = serializers.ChoiceField(required=False, choices=State.choices)
    started_from = Instant(required=False)
    started_before = Instant(required=False)
