"""The routes of reports."""

from pathlib import PurePath

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from media_app.services import open_stored
from reports_app import services
from reports_app.renderers import FORMATS
from reports_app.serializers import ReportSerializer
from sessions_app.models import Session

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="The plain name of a stored file.")
#: The page needs its own styles and nothing else; should markup ever slip in, it can load and run nothing.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'"


class SessionReportViewSet(GenericViewSet):
    """The report of a session: as JSON, as a page, as CSV."""

    queryset = Session.objects.all()
    serializer_class = ReportSerializer

    @extend_schema(responses=ReportSerializer)
    @action(detail=True)
    def report(self, request: Request, pk: str) -> Response:
        session = self.get_object()
        services.ensure_stored(session, "html")
        return Response(ReportSerializer(services.report_of(session)).data)

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, url_path="report.html", url_name="report-html")
    def report_html(self, request: Request, pk: str) -> FileResponse:
        return _stored_file(services.ensure_stored(self.get_object(), "html"))

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=True, url_path="report.csv", url_name="report-csv")
    def report_csv(self, request: Request, pk: str) -> FileResponse:
        return _stored_file(services.ensure_stored(self.get_object(), "csv"))


class StoredReportView(APIView):
    """A stored report by its name."""

    @extend_schema(
        parameters=[NAME], responses={(200, "text/html"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, name: str) -> FileResponse:
        return _stored_file(name)


def _stored_file(name: str) -> FileResponse:
    form = next((form for form in FORMATS.values() if form.suffix == PurePath(name).suffix), None)
    file = open_stored("reports", name)
    response = FileResponse(
        file,
        filename=name,
        content_type=form.content_type if form else "application/octet-stream",
        as_attachment=form is not FORMATS["html"],
    )
    response["Content-Security-Policy"] = PAGE_POLICY
    return response
