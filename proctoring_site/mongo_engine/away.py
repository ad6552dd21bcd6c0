"""What an error says of the server, whatever it was wrapped in on its way."""

from collections.abc import Iterator

from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError, WriteConcernError


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_away(error: BaseException | None) -> bool:
    """That the server cannot be reached, is frozen, shutting down or changing its primary, or that nobody knows whether
    a majority has what was written."""
    return any(map(_says_away, origins(error)))


def _says_away(error: BaseException) -> bool:
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))
    return isinstance(error, ConnectionFailure | WriteConcernError) or (
        isinstance(error, PyMongoError) and error.timeout
    )
