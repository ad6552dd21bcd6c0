"""The routes of sessions and events."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import NoReturn

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from proctoring_site.access import candidate_token, throttle
from proctoring_site.access.authentication import TokenInBody, count_nobody
from proctoring_site.access.candidate_token import Candidate
from proctoring_site.access.permissions import Guarded, Rule, holds, own_session
from proctoring_site.access.roles import Right, may, may_see_sessions
from proctoring_site.audit.actors import ActorKind, client_address, current_actor
from proctoring_site.audit.log import record, recording
from proctoring_site.audit.looks import record_once
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.calls.json_only import BoundedJSONParser, PlainTextJSONParser
from proctoring_site.calls.quick_dispatch import QuickDispatch
from sessions_app import batches, kept_timelines, services
from sessions_app import heartbeat as beats
from sessions_app.answers import detail_answer, event_answer, session_answer, started_answer
from sessions_app.event_serializers import BatchOutcome, EventBatch, EventSerializer, SentEvent
from sessions_app.models import Session
from sessions_app.pagination import NewestFirst
from sessions_app.querysets import sees
from sessions_app.serializers import (
    HeartbeatAnswerSerializer,
    HeartbeatSerializer,
    NeededReason,
    NewMessage,
    NewSession,
    Reason,
    SessionDetailSerializer,
    SessionListQuery,
    SessionSerializer,
    StartedSessionSerializer,
)
from sessions_app.told import sent_event, validated

NEXT_PAGE = OpenApiParameter(
    "Link", str, OpenApiParameter.HEADER, response=[200], description='`<…>; rel="next"`, as long as there are more.'
)

_list_query, _new_session, _batch, _beat = SessionListQuery(), NewSession(), EventBatch(), HeartbeatSerializer()
_beat_answer = HeartbeatAnswerSerializer()


def staff_who_see_sessions(request: Request, view: APIView) -> bool:
    return may_see_sessions(request.user)


def creation_is_open(request: Request, view: APIView) -> bool:
    return settings.SESSION_CREATION == "open"


class OfASession(Guarded, GenericViewSet):
    """For routes below a session, which is one that the caller may know of."""

    queryset = Session.objects.all()

    def get_queryset(self) -> QuerySet:
        return Session.objects.visible_to(self.request.user)


class SessionViewSet(QuickDispatch, OfASession):
    """Sessions: started, listed, looked at, ended. Events are append-only below them."""

    serializer_class = SessionSerializer
    pagination_class = NewestFirst
    counted_apart = frozenset({"create"})
    rules: Mapping[str, tuple[Rule, ...]] = {
        "list": (staff_who_see_sessions,),
        "create": (creation_is_open, holds(Right.CREATE)),
        "retrieve": (own_session, staff_who_see_sessions),
        "events_batch": (own_session, holds(Right.IMPORT)),
        "events": (own_session, holds(Right.IMPORT)),
        "heartbeat": (own_session, holds(Right.IMPORT)),
        "end": (own_session, holds(Right.SUPERVISE)),
        "token": (holds(Right.CREATE),),
        **dict.fromkeys(("pause", "resume", "terminate", "message"), (holds(Right.SUPERVISE),)),
    }

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if self.action == "create":  # there is nothing to hide, and whoever set SESSION_CREATION must find out why
            if request.user is None:
                count_nobody(request)
            APIView.permission_denied(self, request, message, code)
        super().permission_denied(request, message, code)

    @extend_schema(summary="List sessions, newest first", parameters=[SessionListQuery, NEXT_PAGE])
    def list(self, request: Request, *args: object, **kwargs: object) -> HttpResponse:
        asked = request.query_params
        page = self.paginator.page(request, **(validated(_list_query, asked) if asked else {}))
        record(Action.LISTED, ObjectKind.SESSION, encoded=page.recorded(*sorted(asked)))
        answer = HttpResponse(page.content, content_type=request.accepted_renderer.media_type)
        if link := self.paginator.link_of(page, request):
            answer.headers["Link"] = link
        return answer

    @extend_schema(summary="Get a session", responses=SessionDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> HttpResponse:
        session = services.find_document(pk)
        if session is None or not sees(request.user, session):
            raise Http404
        is_recorded = not isinstance(request.user, Candidate)
        with recording(Action.LOOKED, ObjectKind.SESSION, pk) if is_recorded else nullcontext():
            if may(request.user, Right.SEE_EVIDENCE):
                answer = detail_answer(session, kept_timelines.json_of(session))
            else:
                answer = session_answer(session)
        return self.answer(answer)

    @extend_schema(summary="Start a session", request=NewSession, responses={201: StartedSessionSerializer})
    def create(self, request: Request) -> HttpResponse:
        if not may(request.user, Right.CREATE):
            address = client_address(request)
            throttle.count("creation", address, per_minute=settings.SESSION_CREATION_PER_MINUTE)
        session = services.start(**validated(_new_session, request.data))
        token, expires_at = candidate_token.issue(session["_id"])
        answer = started_answer(session, token=token, token_expires_at=expires_at)
        return self.answer(answer, status.HTTP_201_CREATED)

    @extend_schema(summary="Give the candidate another token", request=None, responses=StartedSessionSerializer)
    @action(detail=True, methods=["post"])
    def token(self, request: Request, pk: str) -> HttpResponse:
        """For another computer, or once the first has expired. Earlier tokens stay valid until they expire."""
        session = services.find_document(pk)
        if session is None or not sees(request.user, session):
            raise Http404
        token, expires_at = candidate_token.issue_another(pk)
        return self.answer(started_answer(session, token=token, token_expires_at=expires_at))

    @extend_schema(summary="Log an event", request=SentEvent, responses={201: EventSerializer})
    @action(detail=True, methods=["post"])
    def events(self, request: Request, pk: str) -> Response:
        """With an `id` of the client's own, sending it again gives the same answer and stores nothing more."""
        told, sent_at = sent_event(request.data)
        self._record_events_of_staff(pk)
        (outcome,) = services.log_events(pk, [told], sent_at=sent_at)
        if isinstance(outcome, Exception):
            raise outcome
        return self.answer(event_answer(outcome[0]), status.HTTP_201_CREATED)

    @extend_schema(summary="Log up to 500 events at once", request=EventBatch, responses=BatchOutcome)
    @action(
        detail=True,
        methods=["post"],
        url_path="events/batch",
        url_name="events-batch",
        parser_classes=[BoundedJSONParser, PlainTextJSONParser],
        authentication_classes=[TokenInBody, *api_settings.DEFAULT_AUTHENTICATION_CLASSES],
    )
    def events_batch(self, request: Request, pk: str) -> Response:
        """Each is checked by itself. Also as `text/plain` with the token as `token` in the body, for a beacon."""
        batch = validated(_batch, request.data)
        self._record_events_of_staff(pk)
        return self.answer(batches.log(pk, batch["events"], sent_at=batch.get("sent_at")))

    def _is_by_staff(self) -> bool:
        """By no candidate's browser, nor anybody of an open API."""
        return current_actor().kind in {ActorKind.USER, ActorKind.TOKEN}

    def _record_events_of_staff(self, pk: str) -> None:
        if self._is_by_staff():
            record(Action.CREATED, ObjectKind.EVENT, self.get_object().pk)

    @extend_schema(
        summary="Report that the client is there, and get what staff ask of it",
        request=HeartbeatSerializer,
        responses=HeartbeatAnswerSerializer,
    )
    @action(detail=True, methods=["post"])
    def heartbeat(self, request: Request, pk: str) -> Response:
        told = validated(_beat, request.data)
        if self._is_by_staff():  # coverage and confirmations that no candidate's browser sent
            record_once(Action.CHANGED, ObjectKind.SESSION, self.get_object().pk, heartbeats=True)
        browser = request.META.get("HTTP_USER_AGENT", "")[: beats.BROWSER_MAX_LENGTH] or None
        answer = beats.beat(pk, beats.Beat(**told, browser=browser))
        return self.answer(_beat_answer.to_representation(answer))

    @extend_schema(summary="Pause a session", request=Reason, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        return self._act(services.pause_session, Reason)

    @extend_schema(summary="Resume a paused session", request=Reason, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        return self._act(services.resume_session, Reason)

    @extend_schema(summary="Terminate a session, with a reason", request=NeededReason, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def terminate(self, request: Request, pk: str) -> Response:
        return self._act(services.terminate_session, NeededReason)

    @extend_schema(summary="Send the candidate a message", request=NewMessage, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def message(self, request: Request, pk: str) -> Response:
        return self._act(services.message_candidate, NewMessage)

    def _act(self, service: Callable[..., Session], needed: type[Serializer]) -> Response:
        session = self.get_object()
        told = needed(data=self.request.data)
        told.is_valid(raise_exception=True)
        return Response(SessionSerializer(service(session, **told.validated_data)).data)

    @extend_schema(summary="End a session; a second call changes nothing", request=None, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        session = services.end_session(self.get_object())
        return Response(SessionSerializer(session).data)
