"""Well-formed requests for videos."""

from rest_framework import serializers

from sessions_app.serializers import Text

FILENAME_MAX_LENGTH = 255


class VideoUpload(serializers.Serializer):
    file = serializers.FileField(allow_empty_file=True)  # an empty one is no video, and answered so


class VideoImport(serializers.Serializer):
    filename = Text(max_length=FILENAME_MAX_LENGTH, trim_whitespace=False)
