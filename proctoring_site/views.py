"""The start page: the earlier contract's JSON for programs, a few links for people."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

STATUS = {"status": "ok", "message": "Proctoring backend is running"}


@require_safe
def start_page(request: HttpRequest) -> HttpResponse:
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "proctoring_site/start.html")
    return JsonResponse(STATUS)
