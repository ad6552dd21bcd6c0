"""Bodies as networks and clients really send them: in chunks, slowly, cut off, without a length or with a false one."""

import os
import socket
import time
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from tests.callers import bearer
from tests.servers import Web, manage

EVENT = b'{"event_type": "focus_lost"}'
BATCH = b'{"events": [%s, %s]}' % (EVENT, EVENT)
IN_CHUNKS = "Transfer-Encoding: chunked"
#: The database's time in each request; a slow body takes longer.
LIMIT_S, SLOW_S = 1, 1.2


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    url, name = os.environ["MONGODB_URL"], f"test_bodies_{uuid4().hex}"
    with MongoClient(url) as client:
        yield client[name]
        client.drop_database(name)


@pytest.fixture(scope="module")
def web(stored, tmp_path_factory):
    folder, url = tmp_path_factory.mktemp("bodies"), os.environ["MONGODB_URL"]
    manage("migrate", "--verbosity=0", mongodb_url=url, folder=folder, MONGODB_DATABASE=stored.name)
    web = Web(url, folder, MONGODB_DATABASE=stored.name, SHORT_WRITE_LIMIT_S=str(LIMIT_S))
    yield web
    web.stop()


@dataclass
class Client:
    url: str
    session_id: str
    headers: dict[str, str]

    def send(
        self, *pieces: bytes, length: str, path: str = "events", pause_s: float = 0, cut_off: bool = False
    ) -> tuple:
        """The answer's status and JSON."""
        host, port = self.url.removeprefix("http://").split(":")
        told = {"Host": host, "Content-Type": "application/json", "Connection": "close", **self.headers}
        head = [f"POST /sessions/{self.session_id}/{path} HTTP/1.1", *(f"{name}: {told[name]}" for name in told)]
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall("\r\n".join([*head, *filter(None, [length]), "", ""]).encode())
            for piece in pieces[:-1]:
                connection.sendall(piece)
                time.sleep(pause_s)
            connection.sendall(b"".join(pieces[-1:]))
            if cut_off:
                connection.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: connection.recv(65536), b""))
        status, _, body = said.partition(b"\r\n\r\n")
        answer = httpx.Response(int(status.split()[1]), content=body)
        return answer.status_code, answer.json()


@pytest.fixture
def client(web):
    started = httpx.post(f"{web.url}/sessions", json={"candidate_name": "Ada"}).json()
    return Client(web.url, started["id"], bearer(started["token"]))


@pytest.fixture
def kept(client, stored):
    """How many events there are; and as many are counted."""

    def number():
        counted = stored["sessions"].find_one({"_id": client.session_id})["event_counts"]
        there = stored["events"].count_documents({"session_id": client.session_id})
        assert sum(counted.values()) == there
        return there

    return number


def chunk(piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece)


LAST = chunk(b"")


@pytest.mark.parametrize("pieces", [(EVENT,), (EVENT[:3], EVENT[3:9], EVENT[9:])])
def test_in_chunks(client, kept, pieces):
    status, said = client.send(*map(chunk, pieces), LAST, length=IN_CHUNKS)
    assert (status, said["event_type"], kept()) == (201, "focus_lost", 1)


def test_a_batch_in_chunks(client, kept):
    status, said = client.send(chunk(BATCH), LAST, length=IN_CHUNKS, path="events/batch")
    assert (status, len(said["created"]), kept()) == (200, 2, 2)


def test_in_chunks_it_is_bounded_too(client, kept):
    status, said = client.send(chunk(b" " * 1024**2), chunk(EVENT), LAST, length=IN_CHUNKS)
    assert (status, said["code"], kept()) == (413, "body_too_large", 0)


@pytest.mark.parametrize("pieces", [(LAST,), (b"zz\r\n", EVENT)])
def test_in_chunks_of_nothing_and_in_none(client, kept, pieces):
    status, said = client.send(*pieces, length=IN_CHUNKS)
    assert (status, said["code"], kept()) == (400, "parse_error", 0)


@pytest.mark.parametrize("length", ["Content-Length: 0", ""])
def test_without_a_body(client, kept, length):
    status, said = client.send(length=length)
    assert (status, said["fields"], kept()) == (400, {"event_type": ["This field is required."]}, 0)


@pytest.mark.parametrize("length", [f"Content-Length: {len(EVENT)}", IN_CHUNKS])
def test_slowly_it_has_the_databases_time_for_itself(client, kept, length):
    pieces = [EVENT[:9], EVENT[9:]]
    if length == IN_CHUNKS:
        pieces = [chunk(pieces[0]), chunk(pieces[1]) + LAST]
    status, _ = client.send(*pieces, length=length, pause_s=SLOW_S)
    assert (status, kept()) == (201, 1)


@pytest.mark.parametrize("path", ["events", "events/batch"])
def test_cut_off_it_is_refused_though_it_be_whole_json(client, kept, path):
    """Whoever sends it again, without an id, would else have it twice."""
    body = EVENT if path == "events" else BATCH
    status, said = client.send(body, length=f"Content-Length: {len(body) + 1}", path=path, cut_off=True)
    assert (status, said["code"], kept()) == (400, "parse_error", 0)


def test_compressed_it_is_refused_in_words_that_say_so(client, kept):
    body = b"\x1f\x8b\x08\x00" + EVENT
    status, said = client.send(body, length=f"Content-Length: {len(body)}\r\nContent-Encoding: gzip")
    assert (status, said["code"], kept()) == (400, "parse_error", 0)
    assert said["detail"].endswith(": its Content-Encoding is gzip; send it without one")


def test_what_only_calls_itself_encoded_is_told_what_is_wrong_with_it(client, kept):
    body = EVENT[:-1] + b",}"
    status, said = client.send(body, length=f"Content-Length: {len(body)}\r\nContent-Encoding: utf-8")
    assert (status, said["code"], kept()) == (400, "parse_error", 0)
    assert "Content-Encoding" not in said["detail"]
