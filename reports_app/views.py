"""The routes of reports."""

from collections.abc import Mapping
from pathlib import PurePath

from django.core.files.base import ContentFile
from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from orjson import Fragment
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from media_app.serializers import LinkSerializer
from media_app.services import open_stored
from media_app.views import LINK, NAME
from proctoring_site.access import links
from proctoring_site.access.permissions import Guarded, Rule, follows_link, holds
from proctoring_site.access.roles import Right, may
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.calls.who_asks import wants_page
from proctoring_site.csv_cells import FOR_EXCEL
from proctoring_site.mongo_engine.documents import Document, instance_of
from reports_app import services
from reports_app.builder import Report
from reports_app.renderers import FORMATS
from reports_app.serializers import ReportLink, ReportSerializer
from sessions_app import services as sessions
from sessions_app.answers import as_json
from sessions_app.models import Session
from sessions_app.querysets import sees
from sessions_app.views import OfASession

#: The page needs its own styles and nothing else; should markup ever slip in, it can load and run nothing.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'"
_serializer = ReportSerializer()  # kept: making one costs more than its use


def _to_json(report: Report) -> Fragment:
    return as_json(_serializer.to_representation(report))


def sees_its_session(request: Request, view: APIView) -> bool:
    """The reports of every session, or of just this one."""
    if not may(request.user, Right.SEE_REPORTS):
        return False
    session_id = services.session_id_of(view.kwargs["name"])
    visible = Session.objects.visible_to(request.user)
    return may(request.user, Right.SEE_SESSIONS) or visible.filter(pk=session_id).exists()


class SessionReportViewSet(OfASession):
    """The report of a session: as JSON, as a page, as CSV."""

    serializer_class = ReportSerializer
    rules: Mapping[str, tuple[Rule, ...]] = dict.fromkeys(
        ("report", "report_html", "report_csv", "report_link"), (holds(Right.SEE_REPORTS),)
    )

    def get_object(self) -> Session:
        return instance_of(Session, self._document())

    def _document(self) -> Document:
        document = sessions.find_document(self.kwargs["pk"])
        if document is None or not sees(self.request.user, document):
            raise Http404
        return document

    @extend_schema(summary="The report as JSON", responses=ReportSerializer)
    @action(detail=True)
    def report(self, request: Request, pk: str) -> Response:
        document = self._document()
        record(Action.LOOKED, ObjectKind.REPORT, pk)
        return Response(services.json_of(document, to_json=_to_json))

    @extend_schema(
        summary="The report as a page",
        operation_id="sessions_report_html",
        responses={(200, "text/html"): OpenApiTypes.STR},
    )
    @action(detail=True, url_path="report.html", url_name="report-html")
    def report_html(self, request: Request, pk: str) -> FileResponse:
        session = self.get_object()
        record(Action.LOOKED, ObjectKind.REPORT, session.pk)
        return _stored_file(request, services.ensure_stored(session, "html"))

    @extend_schema(
        summary="The report as CSV", operation_id="sessions_report_csv", responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    @action(detail=True, url_path="report.csv", url_name="report-csv")
    def report_csv(self, request: Request, pk: str) -> FileResponse:
        session = self.get_object()
        record(Action.EXPORTED, ObjectKind.REPORT, session.pk)
        return _stored_file(request, services.ensure_stored(session, "csv"))

    @extend_schema(summary="Make a link to the report", request=ReportLink, responses=LinkSerializer)
    @action(detail=True, methods=["post"], url_path="report/link", url_name="report-link")
    def report_link(self, request: Request, pk: str) -> Response:
        """A link to the report as it is now; whoever has it sees the report until it expires."""
        session = self.get_object()
        wanted = ReportLink(data=request.data)
        wanted.is_valid(raise_exception=True)
        record(Action.LINKED, ObjectKind.REPORT, session.pk)
        name = services.ensure_stored(session, wanted.validated_data["format"])
        return Response(LinkSerializer(links.make(request, "stored-report", name)).data)


class StoredReportView(Guarded, APIView):
    """A stored report by its name."""

    rules: Mapping[str, tuple[Rule, ...]] = {"get": (follows_link(Right.SEE_REPORTS), sees_its_session)}

    @extend_schema(
        summary="Read a stored report",
        parameters=[NAME, LINK],
        responses={
            (200, "text/html"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, name: str) -> FileResponse:
        file = _stored_file(request, name)
        record(Action.LOOKED, ObjectKind.REPORT, services.session_id_of(name))
        return file


def _stored_file(request: Request, name: str) -> FileResponse:
    """As it is stored; a CSV file for a person with the mark by which Excel knows its letters."""
    form = next((form for form in FORMATS.values() if form.suffix == PurePath(name).suffix), None)
    file = open_stored("reports", name)
    if form is FORMATS["csv"] and wants_page(request._request):
        with file:
            file = ContentFile(FOR_EXCEL + file.read())
    response = FileResponse(
        file,
        filename=name,
        content_type=form.content_type if form else "application/octet-stream",
        as_attachment=form is not FORMATS["html"],
    )
    response["Content-Security-Policy"] = PAGE_POLICY
    return response
