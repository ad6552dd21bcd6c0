"""What an error says of the server, whatever it was wrapped in on its way."""

from collections.abc import Iterator

from dns.exception import DNSException
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

#: What a member answers that is in trouble itself, for the driver no failure of the connection: it cannot reach another
#: one, gives up a lock (262), has no majority's view (134) or no key of the new primary's yet (211), lost a cursor when
#: it changed (43), is no primary or shuts down.
IN_TROUBLE = frozenset({6, 7, 43, 89, 91, 133, 134, 189, 211, 262, 9001, 10107, 11600, 11602, 13435, 13436})

#: Of a login that was good at the start: somebody has changed the password since.
LOGIN_REFUSED = 18


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_away(error: BaseException | None) -> bool:
    """That the server cannot be reached, is frozen, shutting down or changing its primary, or that nobody knows whether
    a majority has what was written."""
    return any(map(_says_away, origins(error)))


def refuses_login(error: BaseException | None) -> bool:
    return any(map(_is_refused_login, origins(error)))


def why_away(error: BaseException | None) -> str:
    """In one word, for the log: the server's own for it, else the driver's."""
    for one in origins(error):
        if _says_away(one) or _is_refused_login(one):
            return (getattr(one, "details", None) or {}).get("codeName") or type(one).__name__
    return type(error).__name__


def _is_refused_login(error: BaseException) -> bool:
    return isinstance(error, OperationFailure) and error.code == LOGIN_REFUSED


def _says_away(error: BaseException) -> bool:
    if isinstance(error, DNSException):  # of a mongodb+srv URL, whose own fault it is that there is no such name
        return type(error).__name__ != "NXDOMAIN"  # the class itself takes long to import
    if isinstance(error, BulkWriteError):
        faults = error.details.get("writeErrors", ())
        return bool(error.details.get("writeConcernErrors")) or any(fault["code"] in IN_TROUBLE for fault in faults)
    return (
        isinstance(error, ConnectionFailure | WriteConcernError)
        or (isinstance(error, OperationFailure) and error.code in IN_TROUBLE)
        or (isinstance(error, PyMongoError) and error.timeout)
    )
