"""A lease that is renewed for as long as somebody works, from a thread of its own: the work may be busy for minutes."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

#: After a renewal that failed; a database that is back must hear of it before somebody else does.
AGAIN_AFTER_S = 1


@contextmanager
def renewed(what: str, renew: Callable[[], bool], *, every_s: float) -> Iterator[None]:
    """`what`: for the log, an id and no name. `renew` answers False when somebody else has the lease, which had run out
    while this process stood still. Where it is killed nothing renews, and the lease runs out."""
    ended = threading.Event()

    def keep() -> None:
        pause_s = every_s
        while not ended.wait(pause_s):
            try:
                if not renew():
                    logger.warning("%s: somebody else has its lease", what)
                    return
                pause_s = every_s
            except Exception:
                logger.warning("%s: its lease could not be renewed", what)
                pause_s = min(every_s, AGAIN_AFTER_S)

    thread = threading.Thread(target=keep, daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
