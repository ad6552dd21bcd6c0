"""Jobs in this process, when there is no broker: one thread that takes what is due, at once or when it looks again."""

import logging
import threading
from multiprocessing.util import Finalize

from django.conf import settings

from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job

logger = logging.getLogger(__name__)

#: What another process left behind, or could not tell anybody of, is found this often.
LOOK_EVERY_S = 5
STOP_PATIENCE_S = 5  # our launcher leaves a worker of the web server ten seconds to end in

_told = threading.Event()
_stopping = threading.Event()
_start = threading.Lock()
_thread: threading.Thread | None = None
_taken: Job | None = None


def start() -> None:
    """Begin to take jobs, in a process that serves; called again it changes nothing."""
    global _thread
    with _start:
        if settings.JOBS != "threads" or _thread is not None:
            return
        _thread = threading.Thread(target=_work, daemon=True, name="jobs")
        _thread.start()
        queue.on_submit(lambda job_id: _told.set())
        Finalize(None, _stop, exitpriority=0)  # as multiprocessing's processes, granian's call nothing of atexit


def _work() -> None:
    global _taken
    reachable = True
    while not _stopping.is_set():
        _told.clear()
        try:
            while not _stopping.is_set() and (_taken := queue.take()):
                queue.run(_taken)
            reachable = True
        except Exception as error:  # the database is away: later, and one line is enough
            if reachable:
                logger.warning("jobs wait: the database cannot be asked for them (%s)", type(error).__name__)
            reachable = False
        _told.wait(LOOK_EVERY_S)


def _stop() -> None:
    """What runs may finish, for a while; what does not is given back to be done by another."""
    _stopping.set()
    _told.set()
    _thread.join(STOP_PATIENCE_S)
    if _thread.is_alive() and _taken is not None:
        queue.give_back(_taken)
