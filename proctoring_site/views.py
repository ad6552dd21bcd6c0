"""The start page: the earlier contract's JSON for programs, a few links for people; the candidate's page; the docs."""

from functools import cache

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from proctoring_site.calls.answer_headers import CANDIDATE_SECURITY_POLICY, RECORDING_PERMISSIONS_POLICY
from proctoring_site.calls.who_asks import wants_page

STATUS = {"status": "ok", "message": "Proctoring backend is running"}


class StartView(APIView):
    """Whether the service is running. Asks no database."""

    authentication_classes = permission_classes = ()

    @extend_schema(
        summary="Whether the service is running",
        responses={
            (200, "application/json"): inline_serializer("Start", {key: serializers.CharField() for key in STATUS}),
            (200, "text/html"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponse:
        page = wants_page(request._request)
        response = render(request, "proctoring_site/start.html") if page else JsonResponse(STATUS)
        patch_vary_headers(response, ["Accept"])
        return response


class CandidateView(APIView):
    """The reference page of a candidate: a front end like any other, on the public API. Asks no database."""

    authentication_classes = permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        by_link_only = settings.SESSION_CREATION == "token" and not settings.OPEN_API
        page = render(request._request, "proctoring_site/candidate.html", {"by_link_only": by_link_only})
        page["Content-Security-Policy"] = CANDIDATE_SECURITY_POLICY
        page["Permissions-Policy"] = RECORDING_PERMISSIONS_POLICY
        return page


class SchemaView(APIView):
    """The document of the API, always YAML. Kept, since anybody may ask for it and to make it takes 0.3 s."""

    authentication_classes = permission_classes = ()

    @extend_schema(
        summary="This document",
        description="As YAML.",
        responses={(200, OpenApiYamlRenderer.media_type): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> HttpResponse:
        headers = {"Content-Disposition": 'inline; filename="Proctoring backend.yaml"'}
        return HttpResponse(_schema(), content_type=f"{OpenApiYamlRenderer.media_type}; charset=utf-8", headers=headers)


@cache
def _schema() -> bytes:
    return OpenApiYamlRenderer().render(SchemaGenerator().get_schema(public=True), renderer_context={})


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files, without inline script or style: neither passes our Content-Security-Policy."""

    url_name = "schema"
    template_name = "proctoring_site/docs.html"
