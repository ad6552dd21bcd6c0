"""Whatever a client sends: a 4xx that says why, in one shape, and nothing written."""

import json

import pytest
from django.db import connection

from tests.factories import make_event, make_session

#: route, the text field that it demands, a body that it takes
START = ("/sessions", "candidate_name", {"candidate_name": "Ada"})
LOG = ("/sessions/{id}/events", "event_type", {"event_type": "focus_lost"})
IMPORT = ("/sessions/{id}/video/import", "filename", {"filename": "x.webm"})
ROUTES = pytest.mark.parametrize(("path", "field", "body"), [START, LOG, IMPORT], ids=["start", "log", "import"])

DEEP = 100_000
TWO_MB = 2 * 1024**2


@pytest.fixture
def session(database):
    session = make_session()
    make_event(session)
    return session


@pytest.fixture(autouse=True)
def _nothing_is_written(session):
    before = stored()
    yield
    assert stored() == before


def stored():
    return {
        name: list(connection.database[name].find({}, session=connection.session)) for name in ("sessions", "events")
    }


def send(api, path, session, body, content_type="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.generic("POST", path.format(id=session.pk), raw, content_type=content_type)


def assert_refused(answer, *, status=400, code=None, fields=None):
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/json"
    said = answer.json()
    assert set(said) == {"detail", "code"} | ({"fields"} if fields else set())
    assert isinstance(said["detail"], str)
    assert said["detail"]
    assert said["code"] == (code or said["code"])
    if fields:
        assert list(said["fields"]) == fields
        assert all(isinstance(reason, str) for reasons in said["fields"].values() for reason in reasons)


BROKEN_JSON = {
    "cut off": b'{"candidate_name": "A',
    "no quotes": b"{candidate_name: 'A'}",
    "two values": b'{"candidate_name": "A"} {}',
    "trailing comma": b'{"candidate_name": "A",}',
    "plain text": b"hello",
    "a raw NUL": b'{"candidate_name": "a\0b", "event_type": "a\0b", "filename": "a\0b"}',
    "invalid UTF-8": b'{"candidate_name": "\xff\xfe"}',
    "a surrogate in bytes": b'{"candidate_name": "\xed\xa0\x80", "event_type": "\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"candidate_name": "A", "event_type": "x"}',
    "UTF-16": '{"candidate_name": "A"}'.encode("utf-16"),
    "NaN": b'{"candidate_name": NaN, "event_type": NaN}',
    "Infinity": b'{"candidate_name": "A", "event_type": "x", "n": -Infinity}',
    "a number of 5,000 digits": b'{"candidate_name": "A", "event_type": "x", "n": ' + b"9" * 5000 + b"}",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a field": b'{"event_type": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep and cut off": b"[" * DEEP,
    "only spaces": b"   ",
}


@ROUTES
@pytest.mark.parametrize("raw", BROKEN_JSON.values(), ids=BROKEN_JSON)
def test_a_body_that_is_no_json_is_refused(api, session, path, field, body, raw):
    assert_refused(send(api, path, session, raw), code="parse_error")


@ROUTES
@pytest.mark.parametrize("raw", [b"[]", b"[1]", b"5", b"1.5e3", b'"text"', b"null", b"true", b'[{"event_type": "x"}]'])
def test_a_body_that_is_no_object_is_refused(api, session, path, field, body, raw):
    assert_refused(send(api, path, session, raw), code="invalid", fields=["non_field_errors"])


@ROUTES
@pytest.mark.parametrize("raw", [b"", b"{}"])
def test_an_empty_body_is_refused_for_the_field_it_lacks(api, session, path, field, body, raw):
    assert_refused(send(api, path, session, raw), code="invalid", fields=[field])


NO_TEXT = [5, 1.5, True, None, [], ["x"], {}, {"$gt": ""}, {"$ne": None}, [{"$gt": ""}], 10**300, ""]
BAD_TEXT = ["a\0b", "\0", "\ud800", "a\udfffb", "\udc00\ud800", "x" * 256, "x" * 5000]


@ROUTES
@pytest.mark.parametrize("value", [*NO_TEXT, *BAD_TEXT], ids=repr)
def test_a_field_that_is_no_usable_text_is_refused_by_name(api, session, path, field, body, value):
    assert_refused(send(api, path, session, {**body, field: value}), code="invalid", fields=[field])


@pytest.mark.parametrize(("path", "field", "body"), [START, LOG], ids=["start", "log"])
def test_spaces_alone_are_no_text(api, session, path, field, body):
    assert_refused(send(api, path, session, {field: " \n\t "}), code="invalid", fields=[field])


@pytest.mark.parametrize(("length", "route"), [(201, START), (65, LOG)])
def test_one_character_more_than_fits_is_refused(api, session, length, route):
    path, field, body = route
    answer = send(api, path, session, {**body, field: "ж" * length})
    assert_refused(answer, code="invalid", fields=[field])
    assert str(length - 1) in answer.json()["fields"][field][0]


@ROUTES
def test_a_body_of_two_megabytes_is_refused(api, session, path, field, body):
    answer = send(api, path, session, {**body, "message": "x" * TWO_MB})
    assert_refused(answer, status=413, code="body_too_large")


@ROUTES
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_a_form_is_refused(api, session, path, field, body, content_type):
    raw = f"{field}=x".encode()
    if "multipart" in content_type:
        raw = f'--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\nx\r\n--b--\r\n'.encode()
    assert_refused(send(api, path, session, raw, content_type), status=415, code="unsupported_media_type")


@ROUTES
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/jsonx", "json", ";", "multipart/form-data", "*/*"],
)
def test_a_body_without_a_json_content_type_is_refused(api, session, path, field, body, content_type):
    assert_refused(send(api, path, session, body, content_type), status=415, code="unsupported_media_type")


@ROUTES
@pytest.mark.parametrize("charset", ["rot13", "base64", "undefined", "idna", "punycode", "utf-16", "no-such"])
def test_json_is_utf_8_whatever_charset_is_claimed(api, session, path, field, body, charset):
    content_type = f"application/json; charset={charset}"
    assert_refused(send(api, path, session, {field: 5}, content_type), code="invalid", fields=[field])
    assert_refused(send(api, path, session, b'{"a": "\xff"}', content_type), code="parse_error")


@pytest.mark.parametrize(
    "message", [5, True, [], {}, {"$gt": ""}, "a\0b", "\ud800", "x" * 4001, "x" * 900_000], ids=repr
)
def test_a_message_that_is_no_usable_text_is_refused_by_name(api, session, message):
    answer = send(api, LOG[0], session, {"event_type": "focus_lost", "message": message})
    assert_refused(answer, code="invalid", fields=["message"])


TIMESTAMPS = [
    *("", " ", "yesterday", "12:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-02T25:00:00Z", "\0"),
    *("0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z", "+292277026596-12-04T15:30"),
    *("1999-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z", "2100-01-01T00:59:00+00:30", "1970-01-01T00:00:00Z"),
    *("2026-03-02T12:00:00Z\0", "２０２６-03-02T12:00:00Z", "2026-03-02T23:59:60Z", "2026-03-02T24:00:00Z"),
    *(
        "2026-03-02T12:00:00+24:00",
        "2026-03-02T12:00:00+99:99",
        "2026-03-02T12:00:00 Europe/Berlin",
        "\ud800",
        "٢٠٢٦-٠٣-٠٢",
        "x" * 5000,
    ),
    *(0, 1772452800, 1772452800.5, 10**400, -1, True, [], {}, {"$date": 0}, ["2026-03-02T12:00:00Z"]),
]


@pytest.mark.parametrize("timestamp", TIMESTAMPS, ids=lambda value: repr(value)[:40])
def test_a_timestamp_that_is_none_is_refused_by_name(api, session, timestamp):
    answer = send(api, LOG[0], session, {"event_type": "focus_lost", "timestamp": timestamp})
    assert_refused(answer, code="invalid" if timestamp != 10**400 else None, fields=["timestamp"])


#: As JSON text: what BSON cannot say, is nested too deeply, or is too long.
DATA = {
    "an integer of 64 bits and a sign": b'{"n": 9223372036854775808}',
    "a larger one": b'{"n": [-' + b"9" * 400 + b"]}",
    "half a surrogate": b'{"text": "\\ud800"}',
    "half a surrogate in a name": b'{"\\udfff": 1}',
    "a NUL in a name": b'{"a\\u0000b": 1}',
    "five levels": b'{"a": [[[[]]]]}',
    "2,049 bytes": b'{"a":"' + b"x" * 2041 + b'"}',
    "a list": b"[]",
    "text": b'"x"',
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_data_that_cannot_be_kept_is_refused_by_name(api, session, data):
    event = b'{"event_type": "focus_lost", "data": ' + data + b"}"
    assert_refused(send(api, LOG[0], session, event), code="invalid", fields=["data"])
    batch = send(api, f"{LOG[0]}/batch", session, b'{"events": [' + event + b"]}").json()
    assert [list(rejected["fields"]) for rejected in batch["rejected"]] == [["data"]]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (b"1e400", "the number 1e400 is too large"),
        (b"-1" + b"0" * 400 + b".5", "the number -1000000000000000000 is too large"),
        (b"9" * 5000, "a number of 5,000 digits is too long"),
        (b"NaN", "NaN is not JSON"),
    ],
)
def test_a_number_that_nobody_can_keep_is_told_without_a_wrong_place(api, session, number, reason):
    answer = send(api, LOG[0], session, b'{"event_type": "focus_lost", "confidence": ' + number + b"}")
    assert_refused(answer, code="parse_error")
    assert answer.json()["detail"] == f"The body is not valid JSON: {reason}"


def test_every_field_at_fault_is_named_at_once(api, session):
    answer = send(api, LOG[0], session, {"event_type": 5, "message": {}, "timestamp": "never"})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"event_type", "message", "timestamp"}
