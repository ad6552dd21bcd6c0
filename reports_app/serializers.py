"""The report's JSON: the earlier contract's fields, and ours after them."""

from rest_framework import serializers


class DeductionSerializer(serializers.Serializer):
    event_type = serializers.CharField()
    count = serializers.IntegerField()
    weight = serializers.IntegerField()
    points = serializers.IntegerField()


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
    integrity_score = serializers.IntegerField(help_text="0 to 100, high is good")
    risk_band = serializers.ChoiceField(choices=["low", "medium", "high"])
    deductions = DeductionSerializer(many=True)
    event_counts = serializers.DictField(child=serializers.IntegerField())
    notice = serializers.CharField()
