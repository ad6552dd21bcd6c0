"""Well-formed requests for videos."""

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from sessions_app.serializers import Text

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


@extend_schema_serializer(examples=[OpenApiExample("A file of the import folder", {"filename": "recording.webm"})])
class VideoImport(serializers.Serializer):
    filename = FileName(max_length=FILENAME_MAX_LENGTH, trim_whitespace=False)
