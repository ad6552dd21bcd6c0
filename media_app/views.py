"""The routes of videos: upload, import, and the stored files."""

from collections.abc import Mapping

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from media_app import arrival, intake, playback, services, video
from media_app.errors import StoredFileNotFound
from media_app.serializers import LinkSerializer, VideoImport, VideoUpload
from media_app.uploads import VideoUploadHandler
from proctoring_site.access import links
from proctoring_site.access.permissions import Guarded, Rule, follows_link, holds, own_session
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.actors import ActorKind, current_actor
from proctoring_site.audit.log import record
from proctoring_site.audit.looks import record_look
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app.models import Session
from sessions_app.serializers import SessionSerializer
from sessions_app.views import OfASession

NAME = OpenApiParameter(
    "name", str, OpenApiParameter.PATH, pattern="^[^/]+$", description="The plain name of a stored file."
)
LINK = OpenApiParameter("link", str, description="The signature of a link to this file alone, instead of a token.")
RANGE = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="`bytes=0-1023`, one range only.")
UPLOAD = OpenApiRequest(
    VideoUpload, encoding={"file": {"contentType": ", ".join(sorted({*video.CONTENT_TYPES.values()}))}}
)


def sees_its_session(request: Request, view: APIView) -> bool:
    """The evidence of every session, or of just this one."""
    if not may(request.user, Right.SEE_EVIDENCE):
        return False
    name = view.kwargs["name"]
    return may(request.user, Right.SEE_SESSIONS) or services.shows(Session.objects.visible_to(request.user), name)


class SessionVideoViewSet(OfASession):
    """The video of a session."""

    serializer_class = SessionSerializer
    rules: Mapping[str, tuple[Rule, ...]] = {
        "video": (own_session, holds(Right.IMPORT)),
        "video_import": (holds(Right.IMPORT),),
        "video_link": (holds(Right.SEE_EVIDENCE),),
    }

    @extend_schema(summary="Upload the video", request={"multipart/form-data": UPLOAD}, responses=SessionSerializer)
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def video(self, request: Request, pk: str) -> Response:
        session = self.get_object()  # before a byte of the body is read
        request._request.upload_handlers = [VideoUploadHandler(request._request)]  # only here, not at the admin's login
        with intake.a_place():
            upload = VideoUpload(data=request.data)
            upload.is_valid(raise_exception=True)
            session = services.attach_video(session, upload.validated_data["file"])
        return Response(SessionSerializer(session).data)

    @extend_schema(summary="Import the video from the import folder", request=VideoImport, responses=SessionSerializer)
    @action(detail=True, methods=["post"], url_path="video/import", url_name="video-import")
    def video_import(self, request: Request, pk: str) -> Response:
        session = self.get_object()
        wanted = VideoImport(data=request.data)
        wanted.is_valid(raise_exception=True)
        session = services.import_video(session, wanted.validated_data["filename"])
        return Response(SessionSerializer(session).data)

    @extend_schema(summary="Make a link to the video", request=None, responses=LinkSerializer)
    @action(detail=True, methods=["post"], url_path="video/link", url_name="video-link")
    def video_link(self, request: Request, pk: str) -> Response:
        """A link for a player that cannot send a token; whoever has it sees the video until it expires."""
        session = self.get_object()
        if session.video_name is None:
            raise StoredFileNotFound
        record(Action.LINKED, ObjectKind.VIDEO, session.pk)
        return Response(LinkSerializer(links.make(request, "stored-video", session.video_name)).data)


class StoredVideoView(Guarded, APIView):
    """A stored video, with the type that its bytes had when it came."""

    rules: Mapping[str, tuple[Rule, ...]] = {"get": (follows_link(Right.SEE_EVIDENCE), sees_its_session)}

    @extend_schema(
        summary="Watch a video",
        parameters=[NAME, LINK, RANGE],
        responses={
            (200, "video/*"): OpenApiTypes.BINARY,
            (200, services.UNKNOWN_TYPE): OpenApiTypes.BINARY,
            (206, "video/*"): OpenApiTypes.BINARY,
            302: OpenApiResponse(description="The storage sends it: see `Location`."),
            304: OpenApiResponse(description="Unchanged: it is what `If-None-Match` names."),
            416: OpenApiResponse(description="There is no such range; `Content-Range` has the size."),
        },
    )
    def get(self, request: Request, name: str) -> HttpResponseBase:
        """The whole of it or a range, so that a player can go to any moment."""
        stored = services.find_video(name)
        which = {"recording": stored.recording_id} if stored.recording_id else {}
        record_look(ObjectKind.VIDEO, arrival.session_id_of(name), **which)
        try:
            return playback.play(request._request, stored, for_s=self._for_s())
        except FileNotFoundError:
            raise StoredFileNotFound from None

    head = get

    @staticmethod
    def _for_s() -> int:
        """Whoever follows a link of ours gets one of the storage's that serves no longer than a new one of ours."""
        is_link = current_actor().kind == ActorKind.LINK
        return min(playback.SIGNED_FOR_S, settings.LINK_MAX_AGE_S) if is_link else playback.SIGNED_FOR_S
