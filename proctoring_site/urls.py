"""Every route. The API has no trailing slashes and no prefix, as the earlier service had none."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView
from rest_framework.routers import SimpleRouter

from media_app.recording_views import RecordingViewSet
from media_app.upload_views import UPLOAD_METHODS, UploadViewSet
from media_app.views import SessionVideoViewSet, StoredVideoView
from proctoring_site.health import HealthView, ReadyView
from proctoring_site.views import CandidateView, DocsView, SchemaView, StartView
from reports_app.views import SessionReportViewSet, StoredReportView
from sessions_app.views import SessionViewSet

router = SimpleRouter(trailing_slash=False)
router.register("sessions", SessionViewSet, basename="session")
router.register("sessions", SessionVideoViewSet, basename="session-video")
router.register("sessions", SessionReportViewSet, basename="session-report")

urlpatterns = [
    *router.urls,  # first and without another resolver between, for what is asked most
    path("", StartView.as_view(), name="start"),
    path("candidate/", CandidateView.as_view(), name="candidate"),
    path("sessions/<pk>/uploads", UploadViewSet.as_view({"post": "create"}), name="session-uploads"),
    path("sessions/<pk>/uploads/<upload_id>", UploadViewSet.as_view(UPLOAD_METHODS), name="session-upload"),
    path("sessions/<pk>/recordings", RecordingViewSet.as_view({"get": "recordings"}), name="session-recordings"),
    path(
        "sessions/<pk>/recordings/<recording>/poster",
        RecordingViewSet.as_view({"get": "poster"}),
        name="session-recording-poster",
    ),
    path("sessions/<pk>/thumbnail", RecordingViewSet.as_view({"get": "thumbnail"}), name="session-thumbnail"),
    path(
        "sessions/<pk>/events/<event>/thumbnail",
        RecordingViewSet.as_view({"get": "event_thumbnail"}),
        name="session-event-thumbnail",
    ),
    path("videos/<name>", StoredVideoView.as_view(), name="stored-video"),
    path("reports/<name>", StoredReportView.as_view(), name="stored-report"),
    path("healthz", HealthView.as_view(), name="healthz"),
    path("readyz", ReadyView.as_view(), name="readyz"),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
    path("favicon.ico", RedirectView.as_view(url=static("proctoring_site/icon.svg")), name="favicon"),
    path("admin/", admin.site.urls),
]

admin.site.site_header = admin.site.site_title = "Proctoring"
admin.site.index_title = "Review"
admin.site.enable_nav_sidebar = False  # the list of sessions needs the width

handler400 = "proctoring_site.errors.handler400"
handler403 = "proctoring_site.errors.handler403"
handler404 = "proctoring_site.errors.handler404"
handler500 = "proctoring_site.errors.handler500"
