"""Why a job failed, in a sentence for Operators. What an error itself says may quote a path, an address or a key of the
server: that is for the log, where the job's id finds it.
"""

import errno
import os
import re
import ssl
from collections.abc import Iterator
from functools import cache

from proctoring_site.mongo_engine.away import is_away

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
AWAY = "The database could not be reached."
IN_THE_LOG = "the log says more, under the id of this job"
#: As earlier releases wrote it: the error's kind, and whatever it said.
_QUOTED = re.compile(r"([A-Za-z_]\w*): ")


def reason_of(error: BaseException) -> str:
    """What may be told. Errors that speak to people have a `sentence` of their own (sessions_app/errors.py)."""
    if speaks_to_people(error):
        return str(error)
    if is_away(error):
        return AWAY
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in errno.errorcode:
        return f"{os.strerror(error.errno)}; {IN_THE_LOG}."
    return _unexpected(type(error).__name__)


def costs_no_try(error: BaseException) -> bool:
    """That something fails which any work needs, and that a person has to mend or that passes: the database or the
    storage is away, or a disk is full. Storages' errors say so themselves (media_app/errors.py)."""
    return getattr(error, "is_outage", False) or getattr(error, "errno", None) in NO_ROOM or is_away(error)


def speaks_to_people(error: BaseException) -> bool:
    return isinstance(getattr(error, "sentence", None), str)


def readable(stored: str | None) -> str | None:
    """What was stored with a job, without what an earlier release quoted of an error that does not speak to people."""
    quoted = _QUOTED.match(stored or "")
    return _unexpected(quoted[1]) if quoted and not _is_for_people(quoted[1]) else stored


@cache
def _is_for_people(kind: str) -> bool:
    """Whether this release has an error of that name whose sentences are."""
    return any(found.__name__ == kind and isinstance(getattr(found, "sentence", None), str) for found in _kinds())


def _kinds(of: type[BaseException] = Exception) -> Iterator[type[BaseException]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _unexpected(kind: str) -> str:
    return f"Unexpected error ({kind}); {IN_THE_LOG}."
