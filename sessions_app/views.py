"""The routes of sessions and events."""

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from sessions_app import services
from sessions_app.models import Event, Session
from sessions_app.pagination import NewestFirst
from sessions_app.serializers import (
    EventSerializer,
    NewEvent,
    NewSession,
    SessionDetailSerializer,
    SessionListQuery,
    SessionSerializer,
)


class SessionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Sessions: started, listed, looked at, ended. Events are append-only below them."""

    queryset = Session.objects.all()
    serializer_class = SessionSerializer
    pagination_class = NewestFirst
    lookup_field = "pk"

    def get_queryset(self) -> QuerySet:
        if self.action == "retrieve":
            return Session.objects.prefetch_related(Prefetch("events", Event.objects.in_order()))
        return Session.objects.newest_first()

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        if self.action != "list":
            return queryset
        query = SessionListQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return queryset.matching(**query.validated_data)

    def get_serializer_class(self) -> type:
        return SessionDetailSerializer if self.action == "retrieve" else SessionSerializer

    @extend_schema(parameters=[SessionListQuery])
    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(request=NewSession, responses={201: SessionSerializer})
    def create(self, request: Request) -> Response:
        new = NewSession(data=request.data)
        new.is_valid(raise_exception=True)
        session = services.start_session(**new.validated_data)
        return Response(SessionSerializer(session).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=NewEvent, responses={201: EventSerializer})
    @action(detail=True, methods=["post"])
    def events(self, request: Request, pk: str) -> Response:
        new = NewEvent(data=request.data)
        new.is_valid(raise_exception=True)
        event = services.log_event(pk, **new.validated_data)
        return Response(EventSerializer(event).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        session = services.end_session(self.get_object())
        return Response(SessionSerializer(session).data)
