"""The start page: the earlier contract's JSON for programs, a few links for people; and the interactive docs."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.views import APIView

STATUS = {"status": "ok", "message": "Proctoring backend is running"}


class StartView(APIView):
    """That the service runs. Asks no database."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        wants_page = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
        response = render(request, "proctoring_site/start.html") if wants_page else JsonResponse(STATUS)
        patch_vary_headers(response, ["Accept"])
        return response


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files, without inline script or style: neither passes our Content-Security-Policy."""

    url_name = "schema"
    template_name = "proctoring_site/docs.html"
