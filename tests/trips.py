"""The commands that this process sends to MongoDB, whoever sends them: the ORM's and the plain ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import monitoring

DATA_COMMANDS = {"find", "getMore", "aggregate", "insert", "update", "delete", "findAndModify", "count", "distinct"}


class Listener(monitoring.CommandListener):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in DATA_COMMANDS:
            target = event.command.get("collection") or event.command[event.command_name]
            self.seen.append(f"{event.command_name} {target}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


_listener = Listener()
monitoring.register(_listener)  # before the first client is made


@contextmanager
def exactly(*commands: str) -> Iterator[None]:
    """Demand these commands, such as "find sessions", in this order, and no other."""
    before = len(_listener.seen)
    yield
    assert _listener.seen[before:] == list(commands)
