"""A mongod to be killed and frozen, the product on it as it is served, and how long the proofs take."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.servers import Mongod, Web, manage


@dataclass(frozen=True)
class Size:
    """`make test` has the defaults; `make soak` sets `minutes`, about what each proof then takes on two cores."""

    minutes: int = 0

    @property
    def kills(self) -> int:
        return 3 if not self.minutes else 9 * self.minutes

    @property
    def freezes(self) -> int:
        return 1 if not self.minutes else 3 * self.minutes

    @property
    def examples(self) -> int:
        return 80 if not self.minutes else 500 * self.minutes


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path.name == "test_replica_set.py" and not config.getoption("--soak") else None


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Size:
    return Size(minutes=request.config.getoption("--soak"))


@pytest.fixture(autouse=True)
def few_log_lines() -> None:
    """A line per request, thousands of them, would bury what failed."""
    logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A line for the end of the run."""
    return lambda line: record_property("proof", line)


@pytest.fixture(scope="package")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    folder = tmp_path_factory.mktemp("proof")
    mongod = Mongod(folder)
    try:
        manage("migrate", "--verbosity=0", mongodb_url=mongod.url, folder=folder)
        yield mongod
    finally:
        mongod.remove()


@pytest.fixture
def stored(mongod: Mongod) -> Iterator[Database]:
    """The database behind the product's back, empty of sessions, and alive though an earlier test left it otherwise."""
    mongod.thaw()
    if mongod.process.poll() is not None:
        mongod.start()
        mongod.until_writable()
    with MongoClient(mongod.url) as client:
        database = client["proctoring"]
        for name in ("sessions", "events"):
            database[name].delete_many({})
        yield database


@pytest.fixture
def web(mongod: Mongod, stored: Database) -> Iterator[Web]:
    web = Web(mongod.url, mongod.folder, workers=2, SESSION_CREATION_PER_MINUTE="100000")
    yield web
    web.stop()
