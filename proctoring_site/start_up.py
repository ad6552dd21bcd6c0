"""What a process imports stays for good: nobody looks through it for garbage, neither while it comes nor later.

Python would, again and again, as there is more and more of it: a seventh of every start.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError


def imports_begin() -> None:
    gc.disable()


def imports_are_done() -> None:
    """Also what was made besides: a collection to leave it out would cost half of what is won."""
    gc.freeze()
    gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    imports_begin()
    try:
        yield
    finally:
        imports_are_done()


def set_up() -> None:
    """Of Django, in a process that serves. Settings that contradict each other end it, whoever started it."""
    try:
        django.setup(set_prefix=False)
        call_command("check", stdout=StringIO())
    except (ImproperlyConfigured, SystemCheckError) as fault:
        raise SystemExit(str(fault)) from None  # what to set, and no trace of each worker around it
