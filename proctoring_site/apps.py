"""Django's own apps with a primary key that MongoDB has (an ObjectId), and this site's own app: wiring and checks."""

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.apps import AuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig

OBJECT_ID = "django_mongodb_backend.fields.ObjectIdAutoField"


class MongoAdminConfig(AdminConfig):
    default_auto_field = OBJECT_ID
    default_site = "proctoring_site.admin_site.Site"


class MongoAuthConfig(AuthConfig):
    default_auto_field = OBJECT_ID


class MongoContentTypesConfig(ContentTypesConfig):
    default_auto_field = OBJECT_ID


class MongoAxesConfig(AxesConfig):
    default_auto_field = OBJECT_ID


class SiteConfig(AppConfig):
    name = "proctoring_site"
    verbose_name = "Proctoring"

    def ready(self) -> None:
        from proctoring_site import checks  # noqa: F401, PLC0415 - registers the system checks once apps are loaded
