"""What a process imports stays for good: nobody looks through it for garbage, neither while it comes nor later.

Python would, again and again, as there is more and more of it: a seventh of every start.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
