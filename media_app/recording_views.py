"""The routes of a session's recordings: which there are, and pictures out of them."""

from collections.abc import Mapping

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from media_app import thumbnails
from media_app.models import Recording
from media_app.serializers import OwnRecordingSerializer, PictureQuery, RecordingSerializer
from proctoring_site.access.candidate_token import Candidate
from proctoring_site.access.permissions import Rule, holds, own_session
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.log import record
from proctoring_site.audit.looks import record_look
from proctoring_site.audit.models import Action, ObjectKind
from sessions_app.told import validated
from sessions_app.views import OfASession

JPEG = "image/jpeg"
PICTURE = {(200, JPEG): OpenApiTypes.BINARY}
EVENT = OpenApiParameter("event", str, OpenApiParameter.PATH, pattern="^[^/]+$", description="The event's id.")
RECORDING = OpenApiParameter(
    "recording", str, OpenApiParameter.PATH, pattern="^[^/]+$", description="The recording's id."
)

_picture_query = PictureQuery()


class RecordingViewSet(OfASession):
    """What there is of a session to watch."""

    serializer_class = RecordingSerializer
    rules: Mapping[str, tuple[Rule, ...]] = {
        "recordings": (own_session, holds(Right.SEE_EVIDENCE), holds(Right.IMPORT)),
        **dict.fromkeys(("thumbnail", "event_thumbnail", "poster"), (holds(Right.SEE_EVIDENCE),)),
    }

    @extend_schema(summary="List the recordings of a session", responses=RecordingSerializer(many=True))
    def recordings(self, request: Request, pk: str) -> Response:
        """In the order in which they were begun. Callers who may only send them see only how far each is."""
        session = self.get_object()
        if not isinstance(request.user, Candidate):
            record(Action.LISTED, ObjectKind.VIDEO, session.pk)
        sees_all = may(request.user, Right.SEE_EVIDENCE)
        shown = RecordingSerializer if sees_all else OwnRecordingSerializer
        return Response(shown(Recording.objects.of(session.pk), many=True).data)

    @extend_schema(summary="Get a picture of one moment of a session", parameters=[PictureQuery], responses=PICTURE)
    def thumbnail(self, request: Request, pk: str) -> HttpResponse:
        """At most 320 pixels wide; made at the first request, in some 70 ms, and kept."""
        session = self.get_object()
        return self._shown(thumbnails.moment_of(session, **validated(_picture_query, request.query_params)))

    @extend_schema(summary="Get a picture of an event's moment", parameters=[EVENT], responses=PICTURE)
    def event_thumbnail(self, request: Request, pk: str, event: str) -> HttpResponse:
        """As `…/thumbnail` with the event's own time."""
        return self._shown(thumbnails.moment_of_event(self.get_object(), event))

    @extend_schema(summary="Get the poster of a recording", parameters=[RECORDING], responses=PICTURE)
    def poster(self, request: Request, pk: str, recording: str) -> HttpResponse:
        """At most 640 pixels wide, from about its first second."""
        found = thumbnails.with_poster(self.get_object(), recording)
        self._note(found)
        return HttpResponse(thumbnails.poster(found), content_type=JPEG)

    def _shown(self, moment: thumbnails.Moment) -> HttpResponse:
        self._note(moment.recording)
        return HttpResponse(thumbnails.thumbnail(moment), content_type=JPEG)

    @staticmethod
    def _note(recording: Recording) -> None:
        """All pictures of one recording are one look, as all ranges of it are."""
        record_look(ObjectKind.VIDEO, recording.session_id, recording=recording.pk, pictures=True)
