"""Well-formed requests for videos, and what is said of them."""

from math import isfinite
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from media_app.models import Recording, RecordingKind
from media_app.tus import START_OFFSET_MAX_S
from sessions_app.strict_fields import Text

FILENAME_MAX_LENGTH = 255


class VideoUpload(serializers.Serializer):
    file = serializers.FileField(allow_empty_file=True)  # an empty one is no video, and answered so

    def validate_file(self, file: UploadedFile) -> UploadedFile:
        if len(self.initial_data.getlist("file")) > 1:
            raise serializers.ValidationError("Send one file, not several.")
        return file


LINK = {
    "url": "https://proctoring.example.org/videos/8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.webm?link=WyJzdG9yZWQt:1vwyDs:sLx0",
    "expires_at": "2026-03-02T12:05:00Z",
}


@extend_schema_serializer(examples=[OpenApiExample("Link", LINK)])
class LinkSerializer(serializers.Serializer):
    url = serializers.URLField(help_text="Works without a token until it expires, for this one file.")
    expires_at = serializers.DateTimeField()


@extend_schema_field({"type": "string", "maxLength": FILENAME_MAX_LENGTH, "pattern": r"^[^/\\\u0000]+$"})
class FileName(Text):
    """What is no plain name, or none of a file, the service finds out."""


@extend_schema_serializer(examples=[OpenApiExample("A file in the import folder", {"filename": "recording.webm"})])
class VideoImport(serializers.Serializer):
    filename = FileName(max_length=FILENAME_MAX_LENGTH, trim_whitespace=False)


class Seconds(serializers.FloatField):
    """From the session's start. DRF's own field takes "nan" for a number that fits any limits."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not isfinite(value):
            self.fail("invalid")
        return value


class PictureQuery(serializers.Serializer):
    """Which moment, rounded to whole seconds of the recording; of the camera first, unless `kind` says."""

    at_s = Seconds(
        required=False,
        default=0.0,
        min_value=0,
        max_value=START_OFFSET_MAX_S,
        help_text="Seconds from the session's start.",
    )
    kind = serializers.ChoiceField(
        required=False, choices=RecordingKind.choices, help_text="By default the camera first."
    )


IN_PARTS = {
    "id": "5f0f4b52-8d3e-4a39-9b0a-3c1f7f0e2a11",
    "kind": "camera",
    "state": "receiving",
    "size_bytes": 246415360,
    "received_bytes": 52428800,
    "created_at": "2026-03-02T12:00:02Z",
}
READY = {
    **IN_PARTS,
    "state": "ready",
    "received_bytes": 246415360,
    "reason": None,
    "arrived_at": "2026-03-02T12:45:31Z",
    "start_offset_s": 2.4,
    "duration_s": 2516.2,
    "width": 640,
    "height": 480,
    "frame_rate": 15.0,
    "video_codec": "vp8",
    "audio_codec": "opus",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "watchable_bytes": 246519012,
    "watchable_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "video_path": "videos/8d3c6f0a-7f0b-4c57-9d0e-2f6c9a1b4e21.webm",
    "has_poster": True,
}


class OwnRecordingSerializer(serializers.ModelSerializer):
    """For whoever sends it."""

    received_bytes = serializers.IntegerField(source="offset", help_text="How many bytes are safely stored.")

    class Meta:
        model = Recording
        fields = ["id", "kind", "state", "size_bytes", "received_bytes", "created_at"]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample("For those who may see evidence", READY),
        OpenApiExample("For candidates and others", IN_PARTS),
    ]
)
class RecordingSerializer(OwnRecordingSerializer):
    """`start_offset_s` null: unknown, and taken for 0. `sha256` is of the file as it came, `watchable_…` of the one
    that is served."""

    video_path = serializers.CharField(allow_null=True, help_text="Null while there is nothing to watch.")
    has_poster = serializers.BooleanField()

    class Meta(OwnRecordingSerializer.Meta):
        #: Those that only evidence has.
        sometimes = (
            *("reason", "arrived_at", "start_offset_s", "duration_s", "width", "height", "frame_rate", "video_codec"),
            *("audio_codec", "sha256", "watchable_bytes", "watchable_sha256", "video_path", "has_poster"),
        )
        fields = [*OwnRecordingSerializer.Meta.fields, *sometimes]
        read_only_fields = fields
