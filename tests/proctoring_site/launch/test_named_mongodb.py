"""A server that refuses us: what its error says of MONGODB_URL, and what it does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from proctoring_site.launch.child_process import LaunchError, end, start_tied
from proctoring_site.launch.mongod_binary import find_mongod
from proctoring_site.launch.named_mongodb import NOT_A_URL, fault_of, named_server
from tests.servers import free_port

REPOSITORY = Path(__file__).resolve().parents[3]
NO_FILE = "MONGODB_URL cannot be used: The tlscafile file is not readable: No such file or directory."


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a server that asks for logins, and has one that may only read."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    how = ("--auth", "--nounixsocket", "--bind_ip", "127.0.0.1", "--port", str(port), "--logpath", str(folder / "log"))
    process = start_tied([str(find_mongod()), "--dbpath", str(folder), *how])
    with MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=20_000) as client:
        client.admin.command("createUser", "root", pwd="root", roles=["root"])
    with MongoClient(f"mongodb://root:root@127.0.0.1:{port}/") as client:
        client.admin.command("createUser", "reader", pwd="hush", roles=[{"role": "read", "db": "exams"}])
    yield f"127.0.0.1:{port}"
    end(process, patience_s=10)


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("reader:wrong@", "MongoDB refused the login in MONGODB_URL (Authentication failed)."),
        ("", "MongoDB refuses this: MONGODB_URL needs a login with the right to do it "),
        ("reader:hush@", "MongoDB refuses this: MONGODB_URL needs a login with the right to do it "),
    ],
    ids=["a wrong password", "none", "one that may only read"],
)
def test_a_login_that_is_refused_is_told_from_one_that_may_not(guarded: str, login: str, said: str) -> None:
    with MongoClient(f"mongodb://{login}{guarded}/") as client, pytest.raises(PyMongoError) as raised:
        client.exams.sessions.insert_one({"candidate_name": "Zebediah"})
    fault = fault_of(raised.value)
    assert fault.startswith(said)
    assert "Zebediah" not in fault


#: What is no connection string, and what of it must not be said.
BROKEN = ("localhost", "localhost:27017", "mongodb://someone:hu/sh@host/", "mongodb://host:99999", "mongodb://[x")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        *((url, NOT_A_URL) for url in BROKEN),
        ("mongodb://127.0.0.1/?tls=true&tlsCAFile=/no/file", NO_FILE),
    ],
)
def test_a_broken_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("MONGODB_URL", url)
    with pytest.raises(LaunchError) as refused:
        named_server()
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mongodb://someone:hush@host:99999/", NOT_A_URL),
        ("mongodb://host/?tls=true&tlsCAFile=/no/file", NO_FILE),
        (
            "mongodb://someone:hush@127.0.0.1:1/?serverSelectionTimeoutMS=200",
            "The MongoDB of MONGODB_URL does not answer, or is changing its primary: run this again.",
        ),
    ],
)
def test_a_command_says_in_one_line_what_is_wrong_with_it(url: str, said: str) -> None:
    command = [sys.executable, "manage.py", "showmigrations", "access"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "MONGODB_URL": url}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"{said}\n")


@pytest.mark.parametrize("error", [PyMongoError("something else"), ValueError("no number"), FileNotFoundError()])
def test_of_what_is_not_about_it_nothing_is_said(error: Exception) -> None:
    assert fault_of(error) is None
