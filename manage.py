#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from proctoring_site.audit.actors import running_command
from proctoring_site.outage import is_outage

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
    running_command.set(" ".join(sys.argv[:2]))
    try:
        execute_from_command_line(sys.argv)
    except (DatabaseError, PyMongoError) as error:
        if not is_outage(error):
            raise
        sys.exit("No MongoDB answers: start `make run` in another terminal, or set MONGODB_URL.")
