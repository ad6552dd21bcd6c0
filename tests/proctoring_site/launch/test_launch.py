"""`make run` as a person meets it: real processes, stopped and killed in every way, one line for each trouble."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from pymongo import MongoClient

from proctoring_site.launch import web_server
from proctoring_site.launch.__main__ import StopSignals, is_loopback, kept_secret_key, secret_key
from proctoring_site.launch.__main__ import web_server as configured_web_server
from proctoring_site.launch.child_process import LaunchError, RestartBudget
from proctoring_site.launch.named_mongodb import NOT_A_URL, is_new_enough
from tests.launches import Launch, Launcher, wait_for
from tests.old_server import OldServer
from tests.servers import free_port


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    started: list[Launch] = []

    def start(**environment: str) -> Launch:
        output = tmp_path / f"output-{len(started)}"
        environment = {"WEB_WORKERS": "1", **environment}  # where it matters that there are more, the test says so
        started.append(Launch(Path(environment.pop("DATA_DIR", tmp_path / "data")), output, **environment))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
    wait_for(lambda: not any(one.children() for one in started))
    assert not [one.said for one in started if "Traceback" in one.said]


def refusal(start: Launcher, **environment: str) -> str:
    """The one line of a launch that must fail."""
    failed = start(**environment)
    assert failed.process.wait(30) == 1
    assert failed.web_processes() == []
    lines = failed.said.splitlines()
    assert len(lines) == 1, failed.said
    return lines[0]


# --- A life -------------------------------------------------------------------------------------------------------


def test_the_first_start_has_an_account_and_the_second_still_has_the_data(launch: Launcher) -> None:
    first = launch(WEB_WORKERS="2").until_ready()
    assert re.search(r"sign in as admin with the password \S{16} \(shown only now\)", first.said)
    for page in ("/", "/admin/login/", "/docs"):
        assert httpx.get(first.url + page, timeout=20).status_code == 200
    assert httpx.get(f"{first.url}/sessions", timeout=20).status_code == 404  # to nobody; to staff, see names()
    for address in ("/", "/admin/", "/docs"):
        assert f"{first.url}{address} " in first.said
    first.create_session("Written before the stop")
    assert first.stop(signal.SIGTERM) == 0
    assert first.children() == []

    second = launch().until_ready()
    assert "password" not in second.said
    assert "migrations" not in second.said
    assert "Written before the stop" in second.names()
    assert second.stop(signal.SIGINT, signal.SIGINT) == 0
    assert second.children() == []


def test_it_brings_back_what_is_killed_and_leaves_nothing_when_killed_itself(launch: Launcher) -> None:
    first = launch(WEB_WORKERS="2", LOG_FORMAT="json").until_ready()
    first.create_session("Before the kills")
    assert first.answers()
    (mongod,) = first.mongod_processes()
    address = (first.data_dir / "mongodb" / "url").read_text()
    os.kill(mongod, signal.SIGKILL)
    wait_for(lambda: first.mongod_processes() not in ([], [mongod]) and first.answers())
    assert (first.data_dir / "mongodb" / "url").read_text() == address

    before = first.web_processes()
    os.kill(int((first.data_dir / f"web-{first.port}.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not set(before) & set(first.web_processes()) and first.answers())
    assert first.names() >= {"Before the kills"}
    said = [json.loads(line) for line in first.said.splitlines() if "starting it again" in line]
    assert [(line["level"], line["message"].split(" ended ")[0], "time" in line) for line in said] == [
        ("ERROR", "MongoDB", True),
        ("ERROR", "The web server", True),
    ]

    assert "in use by process" in refusal(launch, PORT=str(free_port()))
    assert first.answers()

    first.process.kill()
    first.process.wait()
    wait_for(lambda: not first.children())


def test_it_waits_for_workers_that_outlived_launcher_and_granian(launch: Launcher) -> None:
    first = launch(WEB_WORKERS="2").until_ready()
    main = int((first.data_dir / f"web-{first.port}.pid").read_text())
    first.create_session("Before the kill")
    first.process.kill()
    os.kill(main, signal.SIGKILL)
    first.process.wait()
    second = launch(PORT=str(first.port)).until_ready()  # at once, with nobody clearing up
    assert "Before the kill" in second.names()


DEAF = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("deaf", flush=True)
    time.sleep(600)
"""


def test_a_worker_that_was_left_behind_and_does_not_hear_gives_the_port_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was just starting when its parent was killed."""
    monkeypatch.setattr(web_server, "STOP_TIMEOUT_S", 0.5)
    port = free_port()
    command = [sys.executable, "-c", DEAF, str(port), str(tmp_path / f"web-{port}.pid")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as deaf:
        deaf.stdout.readline()
        threading.Thread(target=deaf.wait, daemon=True).start()  # as init would
        server = web_server.WebServer("127.0.0.1", port, tmp_path, workers=1, threads=1)
        try:
            server.claim()
            server.stop()
        finally:
            deaf.kill()


@pytest.fixture
def somebody_elses() -> Iterator[str]:
    """A database of its own on the tests' server, which so has to be left running."""
    yield (name := f"test_launch_{uuid4().hex}")
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        client.drop_database(name)


def test_a_named_server_is_used_and_left_running_and_secrets_may_come_from_files(
    launch: Launcher, tmp_path: Path, somebody_elses: str
) -> None:
    (tmp_path / "url").write_text(f"{os.environ['MONGODB_URL']}\n")
    (tmp_path / "key").write_text("k" * 50 + "\n")
    files = {"MONGODB_URL_FILE": str(tmp_path / "url"), "SECRET_KEY_FILE": str(tmp_path / "key")}
    started = launch(**files, MONGODB_DATABASE=somebody_elses, PRODUCTION="1").until_ready()
    started.create_session("In the named server")
    assert started.mongod_processes() == []
    assert not (started.data_dir / "secret_key").exists()
    assert started.stop(signal.SIGTERM) == 0
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        assert client[somebody_elses].sessions.find_one({"candidate_name": "In the named server"})


def test_a_secret_that_cannot_be_read_is_one_line(launch: Launcher, tmp_path: Path) -> None:
    said = refusal(launch, MONGODB_URL_FILE=str(tmp_path / "nowhere"))
    assert said == "MONGODB_URL_FILE names a file that cannot be read: No such file or directory."


@pytest.mark.parametrize("after_s", [0, 0.8, 2])
def test_a_stop_while_it_starts_leaves_nothing(launch: Launcher, after_s: float) -> None:
    started = launch()
    # Its first file says that it listens to signals: how long Python takes to get there is the machine's affair.
    wait_for((started.data_dir / f"web-{started.port}.lock").exists, patience_s=30)
    time.sleep(after_s)
    assert started.stop(signal.SIGINT) == 0
    assert started.children() == []


# --- One clear line -----------------------------------------------------------------------------------------------


def test_a_taken_port(launch: Launcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(launch, PORT=str(port))
    assert said == f"Port {port} on 127.0.0.1 is taken: stop what uses it, or set PORT."


@pytest.mark.parametrize(("port", "error"), [("http", ImproperlyConfigured), ("65536", LaunchError)])
def test_a_port_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str, error: type[Exception]
) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(error, match=r"^PORT must be a whole number [^\n]+$"):
        configured_web_server(tmp_path, StopSignals())


def test_a_host_that_is_not_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"^Cannot serve on 203\.0\.113\.7:"):
        web_server.WebServer("203.0.113.7", free_port(), tmp_path, workers=1, threads=1).claim()


def test_an_unreachable_server_is_named_without_its_password(launch: Launcher) -> None:
    began = time.monotonic()
    said = refusal(launch, MONGODB_URL=f"mongodb://someone:hush@127.0.0.1:{free_port()}/?authSource=admin")
    assert re.match(r"MongoDB at 127\.0\.0\.1:\d+ cannot be reached", said)
    assert "hush" not in said
    assert time.monotonic() - began < 28  # the driver by itself would wait for 30 s


def test_a_url_that_is_none(launch: Launcher) -> None:
    assert refusal(launch, MONGODB_URL="mongodb://someone:hu/sh@host/") == NOT_A_URL


def test_a_server_that_is_too_old(launch: Launcher) -> None:
    with OldServer() as old:
        said = refusal(launch, MONGODB_URL=f"mongodb://127.0.0.1:{old.port}/?directConnection=true")
    assert said == f"MongoDB at 127.0.0.1:{old.port} is version 5.0.31; 6.0 or newer is needed."


def test_production_without_a_secret_key(launch: Launcher) -> None:
    assert refusal(launch, PRODUCTION="1").startswith("PRODUCTION needs a SECRET_KEY")


def test_a_data_folder_that_cannot_be(launch: Launcher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(launch, DATA_DIR=str(tmp_path / "file" / "data"))
    assert said.startswith(f"The data folder {tmp_path / 'file' / 'data'} cannot be written (Not a directory)")


# --- Parts --------------------------------------------------------------------------------------------------------


def test_a_key_that_is_gone_though_its_data_are_there_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = secret_key("", tmp_path, production=False)
    (tmp_path / "mongodb").mkdir()
    assert secret_key("", tmp_path, production=False) == first
    assert capsys.readouterr().out == ""
    (tmp_path / "secret_key").unlink()
    assert secret_key("", tmp_path, production=False) != first
    assert "no longer valid" in capsys.readouterr().out


def test_two_at_once_agree_on_the_secret_key(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(kept_secret_key, [path] * 8))
    assert keys == {path.read_text()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_ends_too_often_is_given_up() -> None:
    budget = RestartBudget("MongoDB", limit=2)
    budget.spend(why="status 1")
    budget.spend(why="status 1")
    with pytest.raises(LaunchError, match=r"^MongoDB ended 3 times within 60 s \(status 1\); giving up\.$"):
        budget.spend(why="status 1")


@pytest.mark.parametrize(
    ("version", "enough"), [("5.0.31", False), ("6.0.0", True), ("6.0.5-rc1", True), ("10.1", True)]
)
def test_which_servers_are_new_enough(version: str, enough: bool) -> None:
    assert is_new_enough(version) is enough


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("me", False)]
)
def test_which_hosts_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_migration_that_fails_stops_the_start_and_says_why(launch: Launcher, somebody_elses: str) -> None:
    url = os.environ["MONGODB_URL"]
    with MongoClient(url) as client:  # no index can be built on it
        client[somebody_elses].command("create", "events", viewOn="elsewhere", pipeline=[])
    failed = launch(MONGODB_URL=url, MONGODB_DATABASE=somebody_elses)
    assert failed.process.wait(30) == 1
    assert failed.said.splitlines()[-1] == f"Namespace {somebody_elses}.events is a view, not a collection"
