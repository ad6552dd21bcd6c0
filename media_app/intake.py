"""How many recordings a process takes in at once. Who sends one may be as slow as they like, and so may what
stores it; a thread of ours waits for each: some are left for all who do not send one, whatever the others do."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.conf import settings

from media_app.errors import TooManyAtOnce

_places = BoundedSemaphore(settings.RECORDINGS_AT_ONCE)


@contextmanager
def a_place() -> Iterator[None]:
    """Raises TooManyAtOnce, before a byte was read."""
    if not _places.acquire(blocking=False):
        raise TooManyAtOnce
    try:
        yield
    finally:
        _places.release()
