"""The routes of videos: upload, import, and the stored files."""

from pathlib import PurePath

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from media_app import services, video
from media_app.serializers import VideoImport, VideoUpload
from media_app.uploads import VideoUploadHandler
from sessions_app.models import Session
from sessions_app.serializers import SessionSerializer

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="The plain name of a stored file.")
UNKNOWN_TYPE = "application/octet-stream"


class SessionVideoViewSet(GenericViewSet):
    """The video of a session."""

    queryset = Session.objects.all()
    serializer_class = SessionSerializer

    @extend_schema(request={"multipart/form-data": VideoUpload}, responses=SessionSerializer)
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def video(self, request: Request, pk: str) -> Response:
        session = self.get_object()  # before a byte of the body is read
        request._request.upload_handlers = [VideoUploadHandler(request._request)]  # only here, not at the admin's login
        upload = VideoUpload(data=request.data)
        upload.is_valid(raise_exception=True)
        session = services.attach_video(session, upload.validated_data["file"])
        return Response(SessionSerializer(session).data)

    @extend_schema(request=VideoImport, responses=SessionSerializer)
    @action(detail=True, methods=["post"], url_path="video/import", url_name="video-import")
    def video_import(self, request: Request, pk: str) -> Response:
        session = self.get_object()
        wanted = VideoImport(data=request.data)
        wanted.is_valid(raise_exception=True)
        session = services.import_video(session, wanted.validated_data["filename"])
        return Response(SessionSerializer(session).data)


class StoredVideoView(APIView):
    """A stored video, with the type that its bytes had when it came."""

    @extend_schema(parameters=[NAME], responses={(200, "video/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, name: str) -> FileResponse:
        content_type = video.CONTENT_TYPES.get(PurePath(name).suffix.lower(), UNKNOWN_TYPE)
        file = services.open_stored("videos", name)
        return FileResponse(file, content_type=content_type, filename=name, as_attachment=content_type == UNKNOWN_TYPE)
