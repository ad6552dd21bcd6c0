"""The ASGI application, for hosts that offer nothing else; prefer WSGI (wsgi.py)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
application = get_asgi_application()
