"""The quick reader of bodies says what Python's own would, or leaves it to that one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orjson import Fragment

from proctoring_site.calls.json_only import DEEP, QuickJSONRenderer, read_json
from tests.unhurried import UNHURRIED

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@UNHURRIED
@given(VALUES, st.booleans())
def test_it_reads_what_was_written(value, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass" if ascii_only else "replace")
    read = read_json(body)
    assert repr(read) == repr(json.loads(body))  # by repr: 1 and 1.0 and True are equal


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b"[1e308, -0, -0.0, 1E5, 4.9e-324]",
        b"[18446744073709551616, 9223372036854775808, -9223372036854775809]",
        b'"\\ud800"',
        b'"\\ud83d\\ude00 \\u0000 \x7f"',
        b' \r\n{"a": null} ',
    ],
)
def test_odd_but_allowed_bodies_are_read_alike(body):
    assert repr(read_json(body)) == repr(json.loads(body))


def test_a_piece_that_is_rendered_already_stays_beside_what_orjson_refuses():
    answer = QuickJSONRenderer().render({"events": Fragment(b'[{"n": 1}]'), "odd": "\ud800"})
    assert json.loads(answer) == {"events": [{"n": 1}], "odd": "\ud800"}


@pytest.mark.parametrize(
    "body", [b"", b"[NaN]", b"[-Infinity]", b"[1,]", b"[01]", b"\xff", b'"\x01"', b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_is_refused(body):
    with pytest.raises(ValueError, match=r"Expecting|not JSON|Extra data|decode|Invalid|BOM|Illegal"):
        read_json(body)


@pytest.mark.parametrize("number", [b"1e400", b"-1E+309", b"1" * 400 + b".5", b"1e400, 1234567890123456789"])
def test_a_number_that_would_be_kept_as_infinite_is_refused(number):
    with pytest.raises(ValueError, match=r"^the number [-+.eE\d]+ is too large$"):
        read_json(b"[" + number + b"]")


def test_nesting_that_python_does_not_read_is_not_read_at_all():
    deep = 100_000
    with pytest.raises(RecursionError):
        read_json(b"[" * deep + b"]" * deep)
    assert len(read_json(b"[" * DEEP + b"]" * DEEP)) == 1
