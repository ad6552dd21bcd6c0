"""What an error says of the server, whatever it was wrapped in on its way."""

from collections.abc import Iterator

from pymongo.errors import ConnectionFailure, PyMongoError


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_away(error: BaseException | None) -> bool:
    """That the server cannot be reached, is frozen or changing its primary."""
    return any(
        isinstance(one, ConnectionFailure) or (isinstance(one, PyMongoError) and one.timeout) for one in origins(error)
    )
