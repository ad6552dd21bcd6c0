"""Uploads in parts, as a client of the tus protocol sends them in process."""

from base64 import b64encode

import pytest

from media_app.storage.local import PIECES
from tests.factories import make_session

TUS = {"HTTP_TUS_RESUMABLE": "1.0.0"}


@pytest.fixture
def session(videos):
    return make_session()


@pytest.fixture
def candidate(as_candidate, session):
    return as_candidate(session)


@pytest.fixture
def clip(clips):
    return clips[".webm"].read_bytes()


def told(**pairs):
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def begin(client, session, size, **headers):
    return client.post(f"/sessions/{session.pk}/uploads", HTTP_UPLOAD_LENGTH=str(size), **{**TUS, **headers})


def begun(client, session, size, **headers):
    answer = begin(client, session, size, **headers)
    assert answer.status_code == 201, answer.content
    return answer.headers["Location"]


def send(client, where, data, *, at=0, **headers):
    more = {"HTTP_UPLOAD_OFFSET": str(at), **TUS, **headers}
    return client.generic("PATCH", where, data, content_type="application/offset+octet-stream", **more)


def offset_of(client, where):
    return int(client.head(where, **TUS).headers["Upload-Offset"])


def pieces(drive):
    """Of uploads in parts that are not whole."""
    return [path.name for path in drive.rglob(f"*{PIECES}")]
