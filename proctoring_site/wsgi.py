"""The WSGI application that granian serves (Django runs eight times slower over ASGI: docs/decisions)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
application = get_wsgi_application()
