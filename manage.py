#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, ManagementUtility
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from media_app.errors import StorageFailed
from proctoring_site import env, start_up
from proctoring_site.audit.actors import running_command
from proctoring_site.calls.outage import is_outage
from proctoring_site.launch.named_mongodb import fault_of

AWAY = "The MongoDB of MONGODB_URL does not answer, or is changing its primary: run this again."
NONE_ANSWERS = "No MongoDB answers: start `make run` in another terminal, or set MONGODB_URL."


class CommandLine(ManagementUtility):
    def fetch_command(self, subcommand: str) -> BaseCommand:
        start_up.imports_are_done()  # Django asks for the command once its apps are loaded
        return super().fetch_command(subcommand)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring_site.settings")
    running_command.set(" ".join(sys.argv[:2]))
    start_up.imports_begin()
    try:
        CommandLine(sys.argv).execute()
    except (ImproperlyConfigured, StorageFailed) as error:
        sys.exit(str(error))
    except (DatabaseError, PyMongoError, OSError, ValueError) as error:
        if is_outage(error):
            sys.exit(AWAY if env.secret("MONGODB_URL") else NONE_ANSWERS)
        if fault := fault_of(error):
            sys.exit(fault)
        raise
