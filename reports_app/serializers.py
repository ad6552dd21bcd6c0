"""The report's JSON: the earlier contract's fields, and ours after them."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from reports_app.renderers import FORMATS
from sessions_app.review.states import Outcome
from sessions_app.scoring import BAND_NAMES
from sessions_app.serializers import CoverageSerializer

DEDUCTIONS = [
    {"event_type": "phone_detected", "count": 2, "weight": 15, "points": 30, "cap": None},
    {"event_type": "focus_lost", "count": 1, "weight": 2, "points": 2, "cap": None},
]
#: What the document of the API shows; its test builds the same report and compares.
REPORT = {
    "candidate_name": "Ada Example",
    "session_id": "8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21",
    "interview_duration_seconds": 2520,
    "focus_lost_count": 1,
    "looking_away_count": 0,
    "no_face_segments": 0,
    "multiple_faces_count": 0,
    "phone_detected_count": 2,
    "notes_detected_count": 0,
    "device_detected_count": 0,
    "suspicious_events_count": 2,
    "integrity_score": 68,
    "risk_band": "medium",
    "deductions": DEDUCTIONS,
    "event_counts": {"phone_detected": 2, "focus_lost": 1},
    "notice": "Flags are not findings; a person decides.",
    "coverage": None,
    "clock_skew_ms": None,
    "reviewed_integrity_score": 68,
    "reviewed_risk_band": "medium",
    "reviewed_deductions": DEDUCTIONS,
    "review_outcome": "not_reviewed",
    "policy_version": 1,
    "exempt_types": [],
    "too_late_events": 0,
    "too_late_last_at": None,
}


@extend_schema_serializer(examples=[OpenApiExample("The page", {"format": "html"})])
class ReportLink(serializers.Serializer):
    format = serializers.ChoiceField(choices=list(FORMATS))


class DeductionSerializer(serializers.Serializer):
    event_type = serializers.CharField()
    count = serializers.IntegerField(help_text="Of events, or of incidents where the policy counts those.")
    weight = serializers.IntegerField()
    points = serializers.IntegerField()
    cap = serializers.IntegerField(allow_null=True, help_text="The most that this type may take off.")


@extend_schema_serializer(examples=[OpenApiExample("Three events", REPORT)])
class ReportSerializer(serializers.Serializer):
    candidate_name = serializers.CharField()
    session_id = serializers.CharField()
    interview_duration_seconds = serializers.IntegerField()
    focus_lost_count = serializers.IntegerField()
    looking_away_count = serializers.IntegerField()
    no_face_segments = serializers.IntegerField()
    multiple_faces_count = serializers.IntegerField()
    phone_detected_count = serializers.IntegerField()
    notes_detected_count = serializers.IntegerField()
    device_detected_count = serializers.IntegerField()
    suspicious_events_count = serializers.IntegerField()
    integrity_score = serializers.IntegerField(help_text="0 to 100, high is good; as the machine saw it")
    risk_band = serializers.ChoiceField(choices=BAND_NAMES)
    deductions = DeductionSerializer(many=True)
    event_counts = serializers.DictField(child=serializers.IntegerField())
    notice = serializers.CharField()
    coverage = CoverageSerializer(allow_null=True, help_text="null: unknown, this client sends no heartbeats.")
    clock_skew_ms = serializers.IntegerField(
        allow_null=True, help_text="The client's clock minus the server's, when it was off by seconds."
    )
    reviewed_integrity_score = serializers.IntegerField(
        help_text="The same, without incidents that people dismissed and with those they added."
    )
    reviewed_risk_band = serializers.ChoiceField(
        choices=BAND_NAMES, help_text="Of the score as reviewed; `risk_band` is of the machine's."
    )
    reviewed_deductions = DeductionSerializer(many=True)
    review_outcome = serializers.ChoiceField(choices=Outcome.choices, help_text="The decision, made by people.")
    policy_version = serializers.IntegerField(
        allow_null=True, help_text="The policy of the scores; null: SCORE_WEIGHTS, while the session is open."
    )
    exempt_types = serializers.ListField(child=serializers.CharField(), help_text="Allowances: in neither score.")
    too_late_events = serializers.IntegerField(
        help_text="Came after the time for late events and were not kept; every sending counted."
    )
    too_late_last_at = serializers.DateTimeField(allow_null=True)
