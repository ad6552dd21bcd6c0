"""Well-formed requests for videos."""

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers

from sessions_app.serializers import Text

FILENAME_MAX_LENGTH = 255


class VideoUpload(serializers.Serializer):
    file = serializers.FileField(allow_empty_file=True)  # an empty one is no video, and answered so

    def validate_file(self, file: UploadedFile) -> UploadedFile:
        if len(self.initial_data.getlist("file")) > 1:
            raise serializers.ValidationError("Send one file, not several.")
        return file


class VideoImport(serializers.Serializer):
    filename = Text(max_length=FILENAME_MAX_LENGTH, trim_whitespace=False)
